//! The board behind a balancer that moves it to another server.

use std::fs;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::harness::Browser;
use crate::harness::api::api_user;
use crate::harness::cluster::Cluster;
use crate::harness::users::set;

const PEOPLE: &str = "[alice]\ntype = user\nextension = 200\n\
                      [bob]\ntype = user\nextension = 201\n";

/// One address for several servers. Its threads end with the test's process.
struct Balancer {
    port: u16,
    to: Arc<AtomicU16>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Balancer {
    /// Hands every connection to that port of loopback.
    fn start(to: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let balancer = Balancer {
            port,
            to: Arc::new(to.into()),
            open: Arc::default(),
        };
        let (to, open) = (balancer.to.clone(), balancer.open.clone());
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                // A server that restarts accepts nothing.
                let far = TcpStream::connect(("127.0.0.1", to.load(Ordering::Acquire)));
                if let Ok(far) = far {
                    join(&near, &far, &open);
                }
            }
        });
        balancer
    }

    /// Moves all clients to another server.
    fn move_to(&self, port: u16) {
        self.to.store(port, Ordering::Release);
        for stream in self.open.lock().expect("no panic").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Copies what comes from one side to the other one.
fn join(near: &TcpStream, far: &TcpStream, open: &Mutex<Vec<TcpStream>>) {
    for (from, to) in [(near, far), (far, near)] {
        let copy = |stream: &TcpStream| stream.try_clone().expect("a copy");
        let (mut from, mut to) = (copy(from), copy(to));
        open.lock().expect("no panic").push(copy(&from));
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
}

/// The page notices the other server, shows what is there, and follows it: whether the numbers
/// there are higher or lower. Nobody has to log in again where the servers have one secret.
#[test]
fn a_board_that_is_moved_to_another_server_goes_on() {
    let panel = api_user("panel", "role = self\nuser = alice");
    let cluster = Cluster::of(&format!("{PEOPLE}{panel}"))
        .nodes(2)
        .each(|_, builder| builder.http())
        .start();
    let [a, b] = cluster.two();
    let secret = "lib/keys/userpresence.secret";
    fs::copy(a.path(secret), b.path(secret)).expect("a copy");
    b.restart(true);
    cluster.same();

    let balancer = Balancer::start(a.http_port());
    let browser = Browser::start(a);
    browser.go(&format!("http://127.0.0.1:{}/userpresence/", balancer.port));
    browser.wait("document.activeElement.id === 'name'");
    browser.fill("#name", "panel");
    browser.fill("#password", "secret");
    browser.click("#login button");
    let is_live = "document.querySelector('#connection[data-state=live]')";
    browser.wait(is_live);
    let shows = |message: &str| {
        browser.wait(&format!(
            "[...document.querySelectorAll('.row')].some((it) => it.textContent.includes('{message}'))"
        ));
    };
    for (round, (at, other)) in [(a, b), (b, a), (a, b)].into_iter().enumerate() {
        balancer.move_to(at.http_port());
        // At the other one, while the page has no stream.
        let message = format!("Between {round}");
        set(other, "bob", &format!("away,,{message}"));
        shows(&message);
        browser.wait(is_live);
        for node in [at, other] {
            let message = format!("{round} on port {}", node.http_port());
            set(node, "bob", &format!("dnd,,{message}"));
            shows(&message);
        }
    }
}
