//! TCP links that a test can cut.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use super::network::{reappear, vanish_socket};
use super::ports;

/// How a link behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Link {
    /// Everything passes.
    Open,
    /// The network has vanished: the kernel drops what arrives, connects time out, and what
    /// waits to be sent again passes once the link is open.
    Stalled,
    /// Nobody listens: connects are refused, and connections that exist are closed.
    Refused,
}

/// A proxy on a loopback port of its own, before another loopback port.
///
/// A cut with several sources has one link for each of them; they share the port.
pub struct Cut {
    shared: Arc<Shared>,
}

/// Which source a connection belongs to, by its address; `None` closes it.
type Pick = Box<dyn Fn(SocketAddr) -> Option<usize> + Send + Sync>;

struct Shared {
    port: u16,
    to: u16,
    pick: Option<Pick>,
    state: Mutex<State>,
    /// The listener was opened or closed.
    changed: Condvar,
}

struct State {
    links: Vec<Link>,
    /// A copy of the listener, while there is one.
    listener: Option<TcpListener>,
    connections: Vec<Connection>,
    next: u64,
    ended: bool,
}

struct Connection {
    id: u64,
    source: usize,
    near: TcpStream,
    far: TcpStream,
}

impl Cut {
    /// An open link to that port.
    #[track_caller]
    pub fn to(port: u16) -> Self {
        Cut::new(port, vec![Link::Open], None)
    }

    /// An open link for each of several sources.
    #[track_caller]
    pub(super) fn by_source(
        port: u16,
        sources: usize,
        pick: impl Fn(SocketAddr) -> Option<usize> + Send + Sync + 'static,
    ) -> Self {
        Cut::new(port, vec![Link::Open; sources], Some(Box::new(pick)))
    }

    #[track_caller]
    fn new(to: u16, links: Vec<Link>, pick: Option<Pick>) -> Self {
        let port = ports::free();
        let listener = listen(port);
        let state = State {
            links,
            listener: listener.try_clone().ok(),
            connections: Vec::new(),
            next: 0,
            ended: false,
        };
        let shared = Arc::new(Shared {
            port,
            to,
            pick,
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accepting.accept(listener));
        Cut { shared }
    }

    /// The proxy's port.
    pub fn port(&self) -> u16 {
        self.shared.port
    }

    /// The number of connections that pass through now, or wait to.
    pub fn connections(&self) -> usize {
        self.shared
            .state
            .lock()
            .expect("no panic")
            .connections
            .len()
    }

    /// Opens or cuts the link of every source. Returns when it behaves so.
    #[track_caller]
    pub fn set(&self, link: Link) {
        let sources = self.shared.state.lock().expect("no panic").links.len();
        for source in 0..sources {
            self.set_source(source, link);
        }
    }

    /// Opens or cuts the link of one source. Returns when it behaves so.
    #[track_caller]
    pub(super) fn set_source(&self, source: usize, link: Link) {
        let shared = &*self.shared;
        let mut state = shared.state.lock().expect("no panic");
        state.links[source] = link;
        for connection in state.connections.iter().filter(|it| it.source == source) {
            connection.set(link);
        }
        if shared.pick.is_some() {
            return;
        }
        if let Some(listener) = &state.listener {
            match link {
                Link::Stalled => vanish_socket(listener.as_raw_fd()),
                Link::Open | Link::Refused => reappear(listener.as_raw_fd()),
            }
        }
        drop(state);
        if link == Link::Refused {
            shared.wake();
        }
        shared.changed.notify_all();
        let state = shared.state.lock().expect("no panic");
        let waited = shared
            .changed
            .wait_timeout_while(state, Duration::from_secs(60), |state| {
                (link == Link::Refused) == state.listener.is_some()
            });
        let (state, time) = waited.expect("no panic");
        assert!(!time.timed_out(), "the link does not become {link:?}");
        // It was closed before, and opened as it should behave now.
        if let (Some(listener), Link::Stalled) = (&state.listener, link) {
            vanish_socket(listener.as_raw_fd());
        }
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        if let Ok(mut state) = self.shared.state.lock() {
            state.ended = true;
            if let Some(listener) = &state.listener {
                reappear(listener.as_raw_fd());
            }
            for connection in &state.connections {
                connection.set(Link::Refused);
            }
        }
        self.shared.wake();
        self.shared.changed.notify_all();
    }
}

impl Connection {
    fn set(&self, link: Link) {
        for stream in [&self.near, &self.far] {
            match link {
                Link::Open => reappear(stream.as_raw_fd()),
                Link::Stalled => vanish_socket(stream.as_raw_fd()),
                Link::Refused => {
                    reappear(stream.as_raw_fd());
                    let _ = stream.shutdown(std::net::Shutdown::Both);
                }
            }
        }
    }
}

impl Shared {
    /// Makes the accepting thread look at the state.
    fn wake(&self) {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let _ = TcpStream::connect_timeout(&address, Duration::from_secs(1));
    }

    fn accept(self: Arc<Self>, mut listener: TcpListener) {
        loop {
            let accepted = listener.accept();
            let state = self.state.lock().expect("no panic");
            if state.ended {
                return;
            }
            if self.pick.is_none() && state.links[0] == Link::Refused {
                drop(accepted);
                drop(listener);
                let mut state = state;
                state.listener = None;
                self.changed.notify_all();
                let waited = self.changed.wait_while(state, |state| {
                    !state.ended && state.links[0] == Link::Refused
                });
                let mut state = waited.expect("no panic");
                if state.ended {
                    return;
                }
                listener = listen(self.port);
                state.listener = listener.try_clone().ok();
                drop(state);
                self.changed.notify_all();
                continue;
            }
            drop(state);
            if let Ok((near, from)) = accepted {
                let this = Arc::clone(&self);
                thread::spawn(move || this.relay(near, from));
            }
        }
    }

    /// Passes one connection on until one of its sides closes.
    fn relay(&self, near: TcpStream, from: SocketAddr) -> Option<()> {
        let source = self.pick.as_ref().map_or(Some(0), |pick| pick(from))?;
        let far = TcpStream::connect(("127.0.0.1", self.to)).ok()?;
        near.set_nodelay(true).ok()?;
        far.set_nodelay(true).ok()?;
        let clone = |stream: &TcpStream| stream.try_clone().ok();
        let (mut near_in, mut near_out) = (clone(&near)?, clone(&near)?);
        let (mut far_in, mut far_out) = (clone(&far)?, clone(&far)?);
        let id = {
            let mut state = self.state.lock().expect("no panic");
            let id = state.next;
            state.next += 1;
            let connection = Connection {
                id,
                source,
                near,
                far,
            };
            match state.links[source] {
                _ if state.ended => return None,
                Link::Open => {}
                Link::Refused => return None,
                Link::Stalled => connection.set(Link::Stalled),
            }
            state.connections.push(connection);
            id
        };
        let close = |one: &TcpStream, other: &TcpStream| {
            let _ = one.shutdown(std::net::Shutdown::Both);
            let _ = other.shutdown(std::net::Shutdown::Both);
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                let _ = io::copy(&mut near_in, &mut far_out);
                close(&near_in, &far_out);
            });
            let _ = io::copy(&mut far_in, &mut near_out);
            close(&far_in, &near_out);
        });
        let mut state = self.state.lock().expect("no panic");
        state.connections.retain(|connection| connection.id != id);
        Some(())
    }
}

#[track_caller]
fn listen(port: u16) -> TcpListener {
    TcpListener::bind(("127.0.0.1", port)).unwrap_or_else(|why| panic!("port {port}: {why}"))
}
