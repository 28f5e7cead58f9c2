//! Firefox without a window, driven over Marionette, its own protocol: JSON over TCP.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use serde_json::{Value, json};

use super::browser::condition;
use super::instance::Instance;
use super::process::Process;
use super::wait::{PATIENCE, poll, wait_until};
use super::{ports, wait};

/// The name of an element in WebDriver's JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The programs under which Debian and others know Firefox.
const PROGRAMS: [&str; 2] = ["firefox-esr", "firefox"];

/// A Firefox with one page and its own profile, below the instance's directory. It ends on drop.
pub struct Firefox {
    stream: TcpStream,
    process: Process,
    /// The number of the last command.
    commands: u64,
    /// The address of Asterisk's pages.
    site: String,
}

impl Firefox {
    /// Starts a Firefox.
    #[track_caller]
    pub fn start(ast: &Instance) -> Self {
        let is_there = |name: &&&str| {
            let found = Command::new("sh")
                .args(["-c", "command -v \"$1\"", "sh", name])
                .output();
            found.is_ok_and(|found| found.status.success())
        };
        let program = PROGRAMS
            .iter()
            .find(is_there)
            .expect("the program firefox-esr");
        let port = ports::free();
        let home = ast.path(&format!("firefox-{port}"));
        let profile = home.join("profile");
        fs::create_dir_all(&profile).expect("a directory below our own");
        let preferences = format!(
            "user_pref('marionette.port', {port});\n\
             user_pref('intl.accept_languages', 'en-US');\n\
             user_pref('app.update.enabled', false);\n\
             user_pref('datareporting.policy.dataSubmissionEnabled', false);\n\
             user_pref('network.captive-portal-service.enabled', false);\n\
             user_pref('network.connectivity-service.enabled', false);\n\
             user_pref('browser.safebrowsing.update.enabled', false);\n\
             user_pref('services.settings.server', 'data:,none');\n\
             user_pref('extensions.update.enabled', false);\n\
             user_pref('browser.shell.checkDefaultBrowser', false);\n"
        );
        fs::write(profile.join("user.js"), preferences).expect("a profile");
        let mut command = Command::new(program);
        command
            .args(["--headless", "--marionette", "--no-remote", "--profile"])
            .arg(&profile)
            .current_dir(&home)
            .env("HOME", &home)
            .env("TMPDIR", &home)
            .env("XDG_CONFIG_HOME", &home)
            .env("XDG_CACHE_HOME", &home)
            .env("MOZ_HEADLESS_WIDTH", "1000")
            .env("MOZ_HEADLESS_HEIGHT", "700")
            .env("TZ", "UTC");
        let process = Process::start("Firefox", &mut command, &home.join("output.txt"));
        let stream = wait_until("Firefox", || TcpStream::connect(("127.0.0.1", port)).ok());
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let site = format!("http://127.0.0.1:{}", ast.http_port());
        let mut firefox = Self {
            stream,
            process,
            commands: 0,
            site,
        };
        let hello = firefox.read();
        assert_eq!(hello["marionetteProtocol"], 3, "{hello}");
        firefox.must("WebDriver:NewSession", json!({}));
        firefox
    }

    /// Goes to a page of Asterisk's HTTP server.
    #[track_caller]
    pub fn open(&mut self, path: &str) {
        let url = format!("{}{path}", self.site);
        self.must("WebDriver:Navigate", json!({"url": url}));
    }

    /// Runs JavaScript in the page and returns its result.
    #[track_caller]
    pub fn run(&mut self, script: &str) -> Value {
        let body = json!({"script": script, "args": []});
        self.must("WebDriver:ExecuteScript", body)["value"].take()
    }

    /// Waits until an expression is true in the page. It may read an element that is not there
    /// yet. Panics with the page's text.
    #[track_caller]
    pub fn wait(&mut self, expression: &str) {
        let script = condition(expression);
        let mut last = Value::Null;
        let done = poll(wait::PATIENCE, || {
            last = self.run(&script);
            (last == true).then_some(())
        });
        if done.is_none() {
            let page = self.run("return document.body.innerText");
            panic!("waited in vain for {expression}, last {last}; the page shows {page}");
        }
    }

    /// Clicks the first such element.
    #[track_caller]
    pub fn click(&mut self, selector: &str) {
        let id = self.element(selector);
        self.must("WebDriver:ElementClick", json!({"id": id}));
    }

    /// Types a text into a field.
    #[track_caller]
    pub fn fill(&mut self, selector: &str, text: &str) {
        let id = self.element(selector);
        self.must("WebDriver:ElementSendKeys", json!({"id": id, "text": text}));
    }

    /// Presses keys, one after the other.
    #[track_caller]
    pub fn keys(&mut self, keys: &str) {
        let press = |key: char| {
            ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}))
        };
        let actions: Vec<Value> = keys.chars().flat_map(press).collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.must("WebDriver:PerformActions", json!({"actions": [keyboard]}));
    }

    #[track_caller]
    fn element(&mut self, selector: &str) -> String {
        let wanted = json!({"using": "css selector", "value": selector});
        let found = self.must("WebDriver:FindElement", wanted);
        let id = found["value"][ELEMENT].as_str();
        id.expect("an element").to_owned()
    }

    /// One command: `[0, number, name, parameters]`, answered by `[1, number, error, result]`.
    #[track_caller]
    fn must(&mut self, name: &str, parameters: Value) -> Value {
        self.commands += 1;
        let command = json!([0, self.commands, name, parameters]).to_string();
        write!(self.stream, "{}:{command}", command.len()).expect("Firefox takes commands");
        loop {
            let mut answer = self.read();
            if answer[0] == 1 && answer[1] == self.commands {
                assert!(answer[2].is_null(), "{name}: {}", answer[2]);
                return answer[3].take();
            }
        }
    }

    /// One message, with its length before it.
    #[track_caller]
    fn read(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut byte = [0];
            self.stream
                .read_exact(&mut byte)
                .expect("an answer of Firefox");
            match byte[0] {
                b':' => break,
                digit => length = length * 10 + usize::from(digit - b'0'),
            }
        }
        let mut text = vec![0; length];
        self.stream
            .read_exact(&mut text)
            .expect("an answer of Firefox");
        serde_json::from_slice(&text).expect("JSON")
    }
}

impl Drop for Firefox {
    fn drop(&mut self) {
        let quit = json!([0, 0, "Marionette:Quit", {"flags": ["eForceQuit"]}]).to_string();
        let _ = write!(self.stream, "{}:{quit}", quit.len());
        // Its content processes end with it.
        let ended = poll(PATIENCE, || self.process.ended());
        if ended.is_none() {
            self.process.kill();
        }
    }
}
