//! A model of a webhook's thread: loom runs it and its callers in every order.

use std::sync::Arc;

use loom::thread;

use super::{Hook, HookState, Shown};
use crate::sync::{Condvar, Mutex};
use presence::config::testing::parsed;

#[test]
fn a_waiting_webhook_notices_a_reload_and_a_stop() {
    let text = "[hook]\ntype = webhook\naccount = main\nurl = http://127.0.0.1:9/\n\
                secret = 0123456789abcdef\n\
                [alice]\ntype = user\naccount = main\nextension = 200\n";
    let spec = parsed(text).settings.webhooks[0].clone();
    loom::model(move || {
        let hook = Arc::new(Hook {
            stop: Arc::default(),
            state: Mutex::new(HookState {
                spec: spec.clone(),
                wakes: 0,
                ended: false,
                position: None,
                shown: Shown::default(),
            }),
            news: Condvar::new(),
        });
        let waiting = {
            let hook = hook.clone();
            thread::spawn(move || {
                while !hook.stopped() {
                    let (_, wakes) = hook.spec();
                    // As after an event that failed.
                    hook.wait(wakes, None);
                }
                hook.end();
            })
        };
        hook.reload(spec.clone());
        hook.request_stop();
        let mut state = hook.state.lock();
        while !state.ended {
            hook.news.wait(&mut state);
        }
        drop(state);
        waiting.join().unwrap();
    });
}
