//! Two hundred people open the page at the same time, and Asterisk restarts under them.

use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::builder;
use crate::harness::api::HASH;
use crate::harness::{Instance, wait_until};

const PEOPLE: usize = 200;

/// The files of the page.
const FILES: &[&str] = &["", "board.css", "board.js", "core.js", "strings-de.json"];

/// So many people with passwords, and room for so many readers.
fn people(readers: usize) -> String {
    let people = (0..PEOPLE).map(|n| format!("[p{n}](person)\nextension = {n}\n"));
    format!(
        "[general]\nhttp_readers = {readers}\n\
         [person](!)\ntype = user\noutgoing = none\npassword = {HASH}\n{}",
        people.collect::<String>()
    )
}

/// What is seen of the people while they look at their pages.
#[derive(Default)]
struct Watch {
    stop: AtomicBool,
    /// Those who have what they came for.
    done: AtomicUsize,
    /// Those who were told to come back later, once.
    put_off: AtomicUsize,
    /// Why pages have given up.
    errors: Mutex<Vec<String>>,
    /// The number of the round, which a status carries as its message.
    round: AtomicUsize,
}

/// A status and the value of `Retry-After`.
struct Head {
    status: u16,
    later: String,
    cookie: String,
}

/// Sends a request; returns the head of the answer and the rest.
fn ask(port: u16, request: &str) -> io::Result<(Head, BufReader<TcpStream>)> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(request.as_bytes())?;
    let mut lines = BufReader::new(stream);
    let (mut line, mut head) = (String::new(), String::new());
    while line != "\r\n" {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        head.push_str(&line);
    }
    let header = |name: &str| {
        let found = head.lines().find_map(|line| line.strip_prefix(name));
        found.unwrap_or_default().to_owned()
    };
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    let head = Head {
        status: status.unwrap_or(0),
        later: header("Retry-After: "),
        cookie: header("Set-Cookie: "),
    };
    Ok((head, lines))
}

/// One person with the page open.
struct Page<'a> {
    port: u16,
    number: usize,
    name: String,
    watch: &'a Watch,
    /// The header with the session.
    cookie: String,
    /// The number of the last event.
    last: Option<u64>,
    /// The last round that was seen.
    round: usize,
    was_put_off: bool,
}

impl Page<'_> {
    /// Asks until there is an answer, as a browser and its page do. What is no answer in order
    /// is an error, and so is a lost session.
    fn insist(&mut self, request: &str) -> Result<(Head, BufReader<TcpStream>), String> {
        // Each waits for another time, as people's browsers do: Asterisk lets no more than ten
        // connections wait for their turn.
        let share = self.number as u64 * 2;
        for attempt in 0.. {
            match ask(self.port, request) {
                Ok((head, rest)) if head.status == 200 => return Ok((head, rest)),
                Ok((head, _)) if head.status == 503 && !head.later.is_empty() => {
                    if !self.was_put_off {
                        self.was_put_off = true;
                        self.watch.put_off.fetch_add(1, Ordering::Relaxed);
                    }
                }
                // Asterisk starts, and the module is not loaded yet, or is stopping.
                Ok((head, _)) if self.last.is_some() && [404, 503].contains(&head.status) => {}
                Ok((head, _)) => return Err(format!("{}: {}: {request}", self.name, head.status)),
                // The connection is refused or broken while Asterisk restarts.
                Err(_) => {}
            }
            if self.watch.stop.load(Ordering::Relaxed) {
                break;
            }
            let wait = 100 << attempt.min(3);
            thread::sleep(Duration::from_millis(wait + share));
        }
        Err("stopped".into())
    }

    fn get(&mut self, path: &str, close: bool) -> Result<(Head, BufReader<TcpStream>), String> {
        let close = if close { "Connection: close\r\n" } else { "" };
        let cookie = self.cookie.clone();
        self.insist(&format!(
            "GET /userpresence/{path} HTTP/1.1\r\nHost: localhost\r\n{close}{cookie}\r\n"
        ))
    }

    /// Opens the page, logs in, and follows the feed until the end of the test.
    fn look(&mut self) -> Result<(), String> {
        for file in FILES {
            let (_, mut rest) = self.get(file, true)?;
            let mut text = Vec::new();
            rest.read_to_end(&mut text).map_err(|why| why.to_string())?;
            if text.is_empty() {
                return Err(format!("{file} is empty"));
            }
        }
        let body = format!(r#"{{"name": "{}", "password": "secret"}}"#, self.name);
        let (head, _) = self.insist(&format!(
            "POST /userpresence/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))?;
        let cookie = head.cookie.split(';').next().unwrap_or_default();
        self.cookie = format!("Cookie: {cookie}\r\n");
        while !self.watch.stop.load(Ordering::Relaxed) {
            let (_, mut rest) = self.get("v1/session", true)?;
            let mut text = String::new();
            // Broken off, it is asked for again.
            let read = rest.read_to_string(&mut text).is_ok();
            if read && !text.contains(&format!(r#""user":"{}""#, self.name)) {
                return Err(format!("{}: {text}", self.name));
            }
            let last = self.last.map(|last| format!("&lastEventId={last}"));
            let path = format!(
                "v1/account/~/events?snapshot=true&expand=record{}",
                last.unwrap_or_default()
            );
            let (_, rest) = self.get(&path, false)?;
            self.follow(rest);
        }
        Ok(())
    }

    /// Reads a stream until it ends or breaks.
    fn follow(&mut self, mut stream: BufReader<TcpStream>) {
        let mut line = String::new();
        loop {
            line.clear();
            // The line may come in parts: each is kept while the end is looked for.
            let wait = Duration::from_millis(250);
            let _ = stream.get_ref().set_read_timeout(Some(wait));
            while !line.ends_with('\n') {
                match stream.read_line(&mut line) {
                    Ok(0) => return,
                    Ok(_) => {}
                    Err(why) if why.kind() == ErrorKind::WouldBlock => {
                        if self.watch.stop.load(Ordering::Relaxed) {
                            return;
                        }
                    }
                    Err(_) => return,
                }
            }
            if let Some(id) = line.strip_prefix("id: ") {
                self.last = id.trim().parse().ok();
            }
            let round = self.watch.round.load(Ordering::Relaxed);
            if round > self.round && line.contains(&format!(r#""round {round}""#)) {
                // From here on the page comes back by itself.
                self.last = self.last.or(Some(0));
                self.round = round;
                self.watch.done.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// What Asterisk holds for its clients.
fn held(ast: &Instance) -> [usize; 2] {
    let count = |what: &str| {
        let entries = fs::read_dir(format!("/proc/{}/{what}", ast.pid()));
        entries.expect("Asterisk runs").count()
    };
    ["task", "fd"].map(count)
}

#[track_caller]
fn wait_until_freed(ast: &Instance, before: [usize; 2]) {
    wait_until(
        &format!("at most {before:?} threads and descriptors"),
        || {
            let now = held(ast);
            // A pool may have begun one more thread, with its descriptor.
            (now[0] <= before[0] + 2 && now[1] <= before[1] + 2).then_some(())
        },
    );
}

/// Sets a status with the number of a new round, and waits until that many pages show it.
#[track_caller]
fn next_round(ast: &Instance, watch: &Watch, pages: usize) {
    watch.done.store(0, Ordering::Relaxed);
    let round = watch.round.fetch_add(1, Ordering::Relaxed) + 1;
    ast.setvar("USER_PRESENCE(p0)", &format!("away,,round {round}"));
    wait_until(&format!("{pages} pages with round {round}"), || {
        let errors = watch.errors.lock().expect("no panic");
        assert!(errors.is_empty(), "{errors:?}");
        (watch.done.load(Ordering::Relaxed) == pages).then_some(())
    });
}

#[test]
fn two_hundred_pages_come_back_when_asterisk_restarts_under_them() {
    const ROOM: usize = 180;
    let ast = builder(&people(ROOM))
        .http_sessions(2 * PEOPLE + 50)
        .start();
    let before = held(&ast);
    let watch = Watch::default();
    thread::scope(|scope| {
        let pages = (0..PEOPLE).map(|number| {
            let (port, watch) = (ast.http_port(), &watch);
            scope.spawn(move || {
                let mut page = Page {
                    port,
                    number,
                    name: format!("p{number}"),
                    watch,
                    cookie: String::new(),
                    last: None,
                    round: 0,
                    was_put_off: false,
                };
                let end = page.look();
                if let Err(why) = &end {
                    watch.errors.lock().expect("no panic").push(why.clone());
                }
                end
            })
        });
        let pages: Vec<_> = pages.collect();
        // The rounds must not leave the threads behind if one of them fails.
        let stop = StopAtEnd(&watch);
        // As many as there is room for have all; the others are told when to come back.
        next_round(&ast, &watch, ROOM);
        wait_until("the others to be put off", || {
            (watch.put_off.load(Ordering::Relaxed) >= PEOPLE - ROOM).then_some(())
        });
        // With more room, those come in.
        ast.write_config("userpresence.conf", &people(PEOPLE));
        assert!(ast.reload().ok());
        next_round(&ast, &watch, PEOPLE);
        ast.kill9();
        ast.start_again();
        next_round(&ast, &watch, PEOPLE);
        ast.restart(true);
        next_round(&ast, &watch, PEOPLE);
        drop(stop);
        for page in pages {
            let end = page.join().expect("no panic");
            assert!(end.is_ok() || end == Err("stopped".into()), "{end:?}");
        }
    });
    wait_until_freed(&ast, before);
    assert_eq!(ast.complaints(), Vec::<String>::new());
}

/// Ends all pages when it is dropped.
struct StopAtEnd<'a>(&'a Watch);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}
