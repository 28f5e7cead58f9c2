//! A real browser: Chromium without a window, driven over WebDriver.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::instance::Instance;
use super::process::Process;
use super::wait::{PATIENCE, wait_until};
use super::{paths, ports};

/// Keys without a character, for [`Browser::keys`].
pub mod key {
    pub const TAB: &str = "\u{e004}";
    pub const ENTER: &str = "\u{e007}";
    pub const ESCAPE: &str = "\u{e00c}";
    pub const PAGE_DOWN: &str = "\u{e00f}";
    pub const END: &str = "\u{e010}";
    pub const HOME: &str = "\u{e011}";
    pub const UP: &str = "\u{e013}";
    pub const DOWN: &str = "\u{e015}";
}

/// The name of an element in WebDriver's JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one page and its own profile, below the instance's directory. It ends
/// on drop.
pub struct Browser {
    /// The program that drives Chromium. A pipe joins the two, and Chromium ends with the
    /// pipe, so no Chromium remains, however the driver ends.
    _driver: Process,
    port: u16,
    session: String,
    /// The address of Asterisk's pages.
    site: String,
}

impl Browser {
    /// Starts a browser.
    #[track_caller]
    pub fn start(ast: &Instance) -> Self {
        Self::start_with(ast, &[])
    }

    /// As [`Browser::start`], with more arguments for Chromium.
    #[track_caller]
    pub fn start_with(ast: &Instance, more: &[&str]) -> Self {
        let port = ports::free();
        let home = ast.path(&format!("browser-{port}"));
        fs::create_dir(&home).expect("a directory below our own");
        let mut command = Command::new("chromedriver");
        command
            .arg(format!("--port={port}"))
            .current_dir(&home)
            // None of the user's own settings, and a fixed format of times.
            .env("HOME", &home)
            .env("TMPDIR", &home)
            .env("XDG_CONFIG_HOME", &home)
            .env("XDG_CACHE_HOME", &home)
            .env("TZ", "UTC");
        let driver = Process::start("chromedriver", &mut command, &home.join("output.txt"));
        wait_until("chromedriver", || {
            let status = request(port, "GET", "/status", None).ok()?;
            status["ready"].as_bool()?.then_some(())
        });

        let profile = home.join("profile");
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--remote-debugging-pipe".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--lang=en-US".to_owned(),
            "--window-size=1000,700".to_owned(),
            format!("--user-data-dir={}", profile.display()),
        ];
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        if is_root() {
            arguments.push("--no-sandbox".to_owned());
        }
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": arguments},
        }}});
        let made = request(port, "POST", "/session", Some(&wanted));
        let made = made.unwrap_or_else(|why| panic!("no browser: {why}"));
        let session = made["sessionId"].as_str().expect("a session's id");
        Self {
            _driver: driver,
            port,
            session: session.to_owned(),
            site: format!("http://127.0.0.1:{}", ast.http_port()),
        }
    }

    /// Goes to a page of Asterisk's HTTP server, for example `/userpresence/`.
    #[track_caller]
    pub fn open(&self, path: &str) {
        self.go(&format!("{}{path}", self.site));
    }

    /// Goes to a whole address.
    #[track_caller]
    pub fn go(&self, url: &str) {
        self.must("POST", "/url", json!({"url": url}));
    }

    /// Goes into a frame of the page by its number, or back to the page.
    #[track_caller]
    pub fn frame(&self, number: Option<u32>) {
        self.must("POST", "/frame", json!({"id": number}));
    }

    /// Runs JavaScript in the page, with these `arguments`, and returns its result.
    #[track_caller]
    pub fn run(&self, script: &str, arguments: &[Value]) -> Value {
        let body = json!({"script": script, "args": arguments});
        self.must("POST", "/execute/sync", body)
    }

    /// As [`Browser::run`], for a script that calls its last argument at its end.
    #[track_caller]
    pub fn run_async(&self, script: &str) -> Value {
        let body = json!({"script": script, "args": []});
        self.must("POST", "/execute/async", body)
    }

    /// Waits until an expression is true in the page. It may read an element that is not there
    /// yet. Panics with the page's text.
    #[track_caller]
    pub fn wait(&self, expression: &str) {
        let script = condition(expression);
        let mut last = Value::Null;
        let done = super::wait::poll(PATIENCE, || {
            last = self.run(&script, &[]);
            (last == true).then_some(())
        });
        if done.is_none() {
            let page = self.run("return document.body.innerText", &[]);
            panic!("waited in vain for {expression}, last {last}; the page shows {page}");
        }
    }

    /// The number of elements.
    #[track_caller]
    pub fn count(&self, selector: &str) -> u64 {
        let count = self.run(
            "return document.querySelectorAll(arguments[0]).length",
            &[json!(selector)],
        );
        count.as_u64().expect("a number")
    }

    /// The visible text of the first such element; empty if there is none.
    #[track_caller]
    pub fn text(&self, selector: &str) -> String {
        let text = self.run(
            "return document.querySelector(arguments[0])?.innerText ?? ''",
            &[json!(selector)],
        );
        text.as_str().expect("a text").to_owned()
    }

    /// An attribute of the first such element; empty if there is none.
    #[track_caller]
    pub fn attribute(&self, selector: &str, name: &str) -> String {
        let value = self.run(
            "return document.querySelector(arguments[0])?.getAttribute(arguments[1]) ?? ''",
            &[json!(selector), json!(name)],
        );
        value.as_str().expect("a text").to_owned()
    }

    /// Clicks the element once it can be clicked.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let mut problem = String::new();
        let done = super::wait::poll(PATIENCE, || {
            let element = self.element(selector)?;
            let path = format!("/element/{element}/click");
            self.ask("POST", &path, &json!({}))
                .map_err(|why| problem = why)
                .ok()
        });
        assert!(done.is_some(), "cannot click {selector}: {problem}");
    }

    /// Clears a field and types a text into it.
    #[track_caller]
    pub fn fill(&self, selector: &str, text: &str) {
        let element = wait_until(selector, || self.element(selector));
        self.must("POST", &format!("/element/{element}/clear"), json!({}));
        let path = format!("/element/{element}/value");
        self.must("POST", &path, json!({"text": text}));
    }

    /// Sets a field that is not typed, such as a choice or a time, and sends the browser's
    /// events for it.
    #[track_caller]
    pub fn choose(&self, selector: &str, value: &str) {
        self.run(
            "const it = document.querySelector(arguments[0]); it.value = arguments[1]; \
             for (const name of ['input', 'change']) it.dispatchEvent(new Event(name, {bubbles: true}))",
            &[json!(selector), json!(value)],
        );
    }

    /// Presses keys, one after the other: characters, and those of [`key`].
    #[track_caller]
    pub fn keys(&self, keys: &str) {
        let press = |key: char| {
            ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}))
        };
        let actions: Vec<Value> = keys.chars().flat_map(press).collect();
        let body = json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]});
        self.must("POST", "/actions", body);
    }

    /// Moves the mouse to the upper left corner, away from every element.
    #[track_caller]
    pub fn mouse_away(&self) {
        let there = json!({"type": "pointerMove", "x": 0, "y": 0});
        let body = json!({"actions": [{"type": "pointer", "id": "mouse", "actions": [there]}]});
        self.must("POST", "/actions", body);
    }

    /// Drags an element with the mouse to the middle of another one, `below` pixels further down.
    #[track_caller]
    pub fn drag(&self, from: &str, to: &str, below: i64) {
        let middle = |selector: &str| {
            let at = self.run(
                "const box = document.querySelector(arguments[0]).getBoundingClientRect(); \
                 return [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)]",
                &[json!(selector)],
            );
            [&at[0], &at[1]].map(|it| it.as_i64().expect("a number"))
        };
        self.run(
            "document.querySelector(arguments[0]).scrollIntoView({block: 'center'})",
            &[json!(from)],
        );
        let ([x, y], [to_x, to_y]) = (middle(from), middle(to));
        let go = |x: i64, y: i64| json!({"type": "pointerMove", "x": x, "y": y, "duration": 50});
        let press = |kind: &str| json!({"type": kind, "button": 0});
        let actions = json!([
            go(x, y),
            press("pointerDown"),
            go((x + to_x) / 2, (y + to_y) / 2),
            go(to_x, to_y + below),
            press("pointerUp"),
        ]);
        let body = json!({"actions": [{"type": "pointer", "id": "mouse", "actions": actions}]});
        self.must("POST", "/actions", body);
    }

    /// Sets the page's size in CSS pixels, on a phone or not.
    #[track_caller]
    pub fn size(&self, width: u32, height: u32, phone: bool) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone,
        });
        self.chromium("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// Sets the preferred colour scheme: `light` or `dark`; or `forced`, the few colours that a
    /// person with weak eyes has chosen for all pages.
    #[track_caller]
    pub fn colours(&self, scheme: &str) {
        let feature = |name: &str, value: &str| json!({"name": name, "value": value});
        let features = match scheme {
            "forced" => [
                feature("forced-colors", "active"),
                feature("prefers-color-scheme", "dark"),
            ],
            scheme => [
                feature("forced-colors", "none"),
                feature("prefers-color-scheme", scheme),
            ],
        };
        self.chromium("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// A picture of the page, as PNG.
    #[track_caller]
    pub fn screenshot(&self) -> Vec<u8> {
        let picture = self.must("GET", "/screenshot", json!({}));
        let picture = picture.as_str().expect("base64");
        BASE64.decode(picture).expect("base64")
    }

    /// The console's new messages: errors of the page, violations of the content security
    /// policy, and error answers.
    #[track_caller]
    pub fn console(&self) -> Vec<String> {
        let all = self.must("POST", "/se/log", json!({"type": "browser"}));
        let entry = |entry: &Value| format!("{} {}", entry["level"], entry["message"]);
        let all = all.as_array().expect("a list");
        all.iter().map(entry).collect()
    }

    /// The violations that axe-core finds once the page's passing highlights are over: the
    /// rule and the elements that break it.
    #[track_caller]
    pub fn accessibility(&self) -> Vec<String> {
        if self.run("return typeof axe", &[]) == "undefined" {
            let file: PathBuf = paths::repository().join("target/axe/axe.min.js");
            let axe = fs::read_to_string(&file)
                .unwrap_or_else(|_| panic!("{} is missing: run `make axe`", file.display()));
            self.run(&axe, &[]);
        }
        let found = self.run_async(
            "const done = arguments[0]; \
             const told = ({id, nodes}) => id + ': ' + nodes.map((it) => it.html + ' ' + it.failureSummary).join('; '); \
             const passing = document.getAnimations().filter((it) => it.effect.getTiming().iterations < Infinity); \
             Promise.allSettled(passing.map((it) => it.finished)).then(() => axe.run()).then((all) => done(all.violations.map(told)), (error) => done([String(error)]))",
        );
        let found = found.as_array().expect("a list");
        found.iter().map(Value::to_string).collect()
    }

    fn element(&self, selector: &str) -> Option<String> {
        let wanted = json!({"using": "css selector", "value": selector});
        let found = self.ask("POST", "/element", &wanted).ok()?;
        Some(found[ELEMENT].as_str()?.to_owned())
    }

    /// A command of Chromium's own protocol, and its result.
    #[track_caller]
    pub fn chromium(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.must("POST", "/goog/cdp/execute", body)
    }

    #[track_caller]
    fn must(&self, method: &str, path: &str, body: Value) -> Value {
        self.ask(method, path, &body)
            .unwrap_or_else(|why| panic!("{method} {path}: {why}"))
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let path = format!("/session/{}{path}", self.session);
        request(self.port, method, &path, (method == "POST").then_some(body))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver waits until Chromium has ended, and then ends itself.
        let _ = self.ask("DELETE", "", &Value::Null);
    }
}

/// A script that says whether an expression is true, or which element it needs and does not
/// find yet. Every other error of the expression is thrown.
pub(super) fn condition(expression: &str) -> String {
    format!(
        "try {{ return Boolean({expression}) }} \
         catch (error) {{ if (error instanceof TypeError) return error.message; throw error }}"
    )
}

/// One WebDriver command: its value, or its error.
fn request(port: u16, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
    let exchange = || -> std::io::Result<(bool, Value)> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let body = body.map(Value::to_string).unwrap_or_default();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let ok = line.contains(" 200 ");
        let mut length = 0;
        while line.trim_end() != "" {
            line.clear();
            reader.read_line(&mut line)?;
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer)?;
        Ok((ok, serde_json::from_slice(&answer)?))
    };
    let (ok, mut answer) = exchange().map_err(|why| why.to_string())?;
    let value = answer["value"].take();
    if ok {
        Ok(value)
    } else {
        Err(format!("{}: {}", value["error"], value["message"]))
    }
}

/// Chromium's sandbox does not start for root.
fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    lines.any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"))
}
