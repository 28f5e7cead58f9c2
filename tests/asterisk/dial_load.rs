//! Many calls through `UserPresenceDial()` at once: none is lost, and nothing stays.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::harness::{Instance, MODULE, Message, Phone, wait_until};

/// One way through the application each: who is rung, forwarded at once, reached in the
/// second stage, forwarded when busy, and forwarded to nowhere.
const USERS: &str = "[general]\njournal = 0\n\
    [rings]\ntype = user\nextension = 200\n\
    [forwards]\ntype = user\nextension = 210\nhandling = always\n\
    [always]\ntype = handling\nforward_external_always = 200@default\n\
    [stages]\ntype = user\nextension = 211\nhandling = stages\n\
    endpoint = desk,PJSIP/201\nendpoint = soft,PJSIP/200\n\
    [stages]\ntype = handling\nring_first = desk\nring_second = soft\n\
    [busy]\ntype = user\nextension = 212,PJSIP/201\nhandling = whenbusy\n\
    [whenbusy]\ntype = handling\nforward_external_busy = 200@default\n\
    [wrong]\ntype = user\nextension = 213\nhandling = nowhere\n\
    [nowhere]\ntype = handling\nforward_external_always = 999@nowhere\n";

const DIALPLAN: &str = "\
exten = 200,1,UserPresenceDial(rings)
exten = 210,1,UserPresenceDial(forwards)
exten = 211,1,UserPresenceDial(stages)
exten = 212,1,UserPresenceDial(busy)
exten = 213,1,UserPresenceDial(wrong)
exten = h,1,UserEvent(Ended,Status:${USERPRESENCESTATUS} ${DIALSTATUS})
";

/// Each way 125 times: 500 that are answered, and 125 that are told busy.
const CALLS: usize = 625;

/// For so long what is held does not become less.
const SETTLED: Duration = Duration::from_secs(3);

/// Bytes that our module holds, and those that the whole process does.
fn held(ast: &Instance) -> [usize; 2] {
    let said = ast.cli("userpresence selftest memory");
    let mut numbers = said.split_whitespace().map(str::parse);
    std::array::from_fn(|_| numbers.next().expect("a number").expect("a number"))
}

/// What is held once SIP has forgotten the calls.
fn settled(ast: &Instance) -> [usize; 2] {
    let (mut least, mut since) = (held(ast), Instant::now());
    wait_until("the calls to be forgotten", || {
        let now = held(ast);
        // A little goes and comes all the time.
        if now[1] + 20_000 < least[1] {
            (least, since) = (now, Instant::now());
        }
        (since.elapsed() > SETTLED).then_some(now)
    })
}

/// Calls the extensions in turn, and returns how the calls ended, and how many did so.
fn load(ast: &Instance, extensions: &[&str], calls: usize, rate: usize) -> BTreeMap<String, usize> {
    let ami = ast.ami();
    Phone::call_many(ast, "trunk", extensions, calls, rate);
    ast.wait_no_channels();
    // Those of the callers, not of the Local channels of forwards.
    let is_end = |event: &&Message| {
        event.get("UserEvent") == Some("Ended")
            && event
                .get("Channel")
                .is_some_and(|name| name.starts_with("PJSIP/trunk-"))
    };
    wait_until("every call's end", || {
        (ami.events().iter().filter(is_end).count() == calls).then_some(())
    });
    let mut ends = BTreeMap::new();
    for event in ami.events().iter().filter(is_end) {
        let end = event.get("Status").unwrap_or_default().to_owned();
        *ends.entry(end).or_default() += 1;
    }
    ends
}

#[test]
fn five_hundred_calls_leave_nothing_behind_and_none_is_lost() {
    let ast = Instance::selftest()
        .userpresence(USERS)
        .sip(&["trunk", "200", "201"])
        .sip_forgets_soon()
        .modules(&["func_callerid", "res_pjsip_diversion"])
        .dialplan(DIALPLAN)
        .start();
    let _answers = Phone::answering(&ast, "200");
    let _busy = Phone::busy(&ast, "201");
    let ours = ["200", "210", "211", "212", "213"];

    // Pools of Asterisk's and of the C library grow at first, and with calls at a time.
    load(&ast, &ours, 250, 50);
    let before = settled(&ast);
    let ends = load(&ast, &ours, CALLS, 20);
    let ends: Vec<_> = ends.iter().map(|(end, count)| (&**end, *count)).collect();
    assert_eq!(
        ends,
        [
            ("ANSWERED ANSWER", 250),
            ("FORWARDED ANSWER", 250),
            ("WRONGTARGET BUSY", 125)
        ]
    );
    let after = settled(&ast);
    assert_eq!(before[0], after[0], "bytes of ours");
    // What Asterisk's own pools grow by is far less than one channel for each call.
    let more = after[1].saturating_sub(before[1]);
    assert!(more < 1000 * CALLS, "{more} bytes more");

    assert!(
        ast.cli("core show channels count")
            .contains("0 active channels")
    );
    // It goes only where no channel is in it any more.
    assert!(ast.unload_module(MODULE).ok());
}
