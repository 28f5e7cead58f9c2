//! A change that fails anywhere leaves the file and what runs as they were.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use super::{CONFIGURATION, ask, file, option, start, tag, text};
use crate::harness::api::{JSON, get, login};
use crate::harness::{Answer, Instance, wait_until};

fn label(text: &str) -> Value {
    json!([{"section": "lunch", "options": [
        option("label", text), option("state", "away"), option("subtype", "lunch")]}])
}

/// The message of a change that failed.
#[track_caller]
fn failure(answer: &Answer) -> String {
    assert_eq!(answer.status, 500, "{answer:?}");
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "failed");
    error["message"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn what_cannot_be_written_changes_nothing() {
    let ast = start();
    let before = file(&ast);
    // Something stands where the writer, the copy and the backup are to be.
    for name in [".userpresence.conf.section", ".userpresence.conf.new"] {
        let path = ast.config_path(name);
        fs::create_dir(&path).expect("a folder");
        let message = failure(&ask(&ast, &label("Not written")));
        assert!(message.contains(name), "{message}");
        assert_eq!(file(&ast), before);
        fs::remove_dir(&path).expect("an empty folder");
    }
    assert_eq!(ask(&ast, &label("Written")).status, 200);
    assert_eq!(
        file(&ast),
        before.replace("label = At\\; lunch", "label = Written")
    );
}

/// A small disk; dropping it takes it away.
struct Disk(std::path::PathBuf);

impl Disk {
    #[track_caller]
    fn new(ast: &Instance, size: &str) -> Self {
        let path = ast.path("disk");
        fs::create_dir(&path).expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", size, "tmpfs"]).arg(&path);
        let done = mount.status().expect("the program mount");
        assert!(
            done.success(),
            "the test needs the right to mount a small disk"
        );
        Disk(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_changes_nothing() {
    // So long that a copy does not fit where the written section still does.
    let filler = "; a long comment, as administrators write them\n".repeat(600);
    let text = format!("{}\n{filler}", text());
    let ast = Instance::builder().userpresence(&text).http().start();
    let disk = Disk::new(&ast, "size=64k");
    let (path, real) = (
        ast.config_path("userpresence.conf"),
        disk.0.join("userpresence.conf"),
    );
    fs::copy(&path, &real).expect("a copy");
    fs::remove_file(&path).expect("a file");
    symlink(&real, &path).expect("a link");
    for (stuff, expected) in [(20_000, "No space left"), (40_000, "No space left")] {
        let _ = fs::write(disk.0.join("stuff"), vec![b'x'; stuff]);
        let message = failure(&ask(&ast, &label("Not written")));
        assert!(message.contains(expected), "{message}");
        assert_eq!(file(&ast), text);
    }
    let mut names = fs::read_dir(&disk.0).expect("a folder").flatten();
    assert!(names.all(|entry| !entry.file_name().to_string_lossy().starts_with('.')));
    fs::remove_file(disk.0.join("stuff")).expect("a file");
    assert_eq!(ask(&ast, &label("Written")).status, 200);
    assert_eq!(
        file(&ast),
        text.replace("label = At\\; lunch", "label = Written")
    );
    ast.stop();
}

#[test]
fn a_reload_that_refuses_puts_the_file_back() {
    let users = (0..20).map(|at| format!("[u{at}](office)\nextension = 3{at:02}\n"));
    let text = format!(
        "{}\n{}",
        text().replace("[hers](api)\nrole = self\nuser = alice\n", ""),
        users.collect::<String>()
    );
    let ast = Instance::builder().userpresence(&text).http().start();
    let inode = |ast: &Instance| {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(ast.config_path("userpresence.conf"))
            .expect("a file")
            .ino()
    };
    let before = inode(&ast);
    // A reload refuses to remove everybody.
    let everybody = (0..20)
        .map(|at| format!("u{at}"))
        .chain(["alice".into(), "bob".into()]);
    let changes: Vec<Value> = everybody
        .map(|name| json!({"section": name, "options": null}))
        .collect();
    let message = failure(&ask(&ast, &json!(changes)));
    assert!(message.contains("users"), "{message}");
    assert_eq!((file(&ast), inode(&ast)), (text, before));
    ast.wait_log("was taken back");
    ast.wait_value("USER_PRESENCE(u7,extensions)", "307");
    let backups = get(&ast, "boss", &format!("{CONFIGURATION}/backups")).json();
    assert_eq!(backups["backups"], json!([]));
}

#[test]
fn writers_take_turns_and_readers_see_one_or_the_other() {
    let ast = start();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut read = 0;
                    while !ended.load(Ordering::Relaxed) || read == 0 {
                        let answer = get(&ast, "boss", CONFIGURATION);
                        // Too many requests a second are refused.
                        if answer.status == 429 {
                            continue;
                        }
                        assert_eq!(answer.status, 200, "{answer:?}");
                        assert_eq!(answer.json()["problems"], json!([]));
                        read += 1;
                    }
                })
            })
            .collect();
        // Each round several writers have the same entity tag: one of them gets its way.
        for round in 0..5 {
            let tag = format!(
                "If-Match: {}",
                wait_until("an entity tag", || {
                    let answer = get(&ast, "boss", CONFIGURATION);
                    (answer.status == 200).then(|| answer.header("ETag").to_owned())
                })
            );
            let writers: Vec<_> = (0..4)
                .map(|writer| {
                    let (ast, tag) = (&ast, tag.clone());
                    scope.spawn(move || {
                        let body = json!({"changes": label(&format!("{round}-{writer}"))});
                        let headers = [&*login("boss"), JSON, &*tag];
                        ast.http("PUT", CONFIGURATION, &headers, &body.to_string())
                            .status
                    })
                })
                .collect();
            let ends = writers
                .into_iter()
                .map(|writer| writer.join().expect("an answer"));
            let ends: Vec<u16> = ends.filter(|status| *status != 429).collect();
            let won = ends.iter().filter(|status| **status == 200).count();
            assert!(
                won <= 1 && ends.iter().all(|it| [200, 412].contains(it)),
                "{ends:?}"
            );
            assert!(won == 1 || ends.len() < 4, "{ends:?}");
        }
        ended.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().expect("a reader");
        }
    });
    let label = file(&ast)
        .lines()
        .find(|line| line.starts_with("label"))
        .map(str::to_owned);
    let expected = text().replace("label = At\\; lunch", &label.expect("a label"));
    assert_eq!(file(&ast), expected);
}

#[test]
fn a_killed_asterisk_leaves_the_old_or_the_new_file() {
    let ast = start();
    for round in 0..4 {
        let before = file(&ast);
        let tag = format!("If-Match: {}", tag(&ast));
        let name = format!("Round {round}");
        let after = {
            let old = before
                .lines()
                .find(|line| line.starts_with("label"))
                .expect("a label");
            before.replace(old, &format!("label = {name}"))
        };
        let body = json!({"changes": label(&name)}).to_string();
        let request = format!(
            "PUT {CONFIGURATION} HTTP/1.1\r\nHost: localhost\r\n{}\r\n{JSON}\r\n{tag}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            login("boss"),
            body.len()
        );
        let mut stream =
            std::net::TcpStream::connect(("127.0.0.1", ast.http_port())).expect("Asterisk listens");
        std::io::Write::write_all(&mut stream, request.as_bytes()).expect("a request");
        // Each round a little later in the course of the change.
        let seen = match round {
            0 => None,
            1 => Some(".userpresence.conf.section"),
            2 => Some(".userpresence.conf.new"),
            _ => Some("userpresence.conf.backup-"),
        };
        if let Some(seen) = seen {
            let folder = ast.path("etc");
            // The change may be over before it is seen.
            loop {
                let mut names = fs::read_dir(&folder).expect("a folder").flatten();
                let found = names.any(|it| it.file_name().to_string_lossy().starts_with(seen));
                if found || file(&ast) == after {
                    break;
                }
            }
        }
        ast.kill9();
        let left = file(&ast);
        assert!(left == before || left == after, "{left}");
        ast.start_again();
        // What a killed change has left does not hinder the next one.
        assert_eq!(ask(&ast, &label("Again")).status, 200);
    }
}
