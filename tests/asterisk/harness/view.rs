//! A view of the board in a browser: logged in, at an address.

use serde_json::json;

use super::browser::{Browser, key};
use super::builder::Builder;
use super::instance::Instance;
use super::wait::wait_until;

/// A browser at a view of the board. The field order makes the browser end first.
pub struct View {
    pub browser: Browser,
    pub ast: Instance,
}

impl View {
    /// Starts Asterisk and a browser, logs in and shows the view of an address such as
    /// `#/settings`.
    #[track_caller]
    pub fn open(builder: Builder, name: &str, address: &str) -> Self {
        let ast = builder.start();
        let browser = Browser::start(&ast);
        let view = Self { browser, ast };
        view.log_in(name, "secret", address);
        view
    }

    #[track_caller]
    pub fn log_in(&self, name: &str, password: &str, address: &str) {
        self.browser.open(&format!("/userpresence/{address}"));
        self.browser
            .wait("!document.querySelector('#login').hidden");
        self.browser.fill("#name", name);
        self.browser.fill("#password", password);
        self.browser.click("#login button");
        self.wait_shown();
    }

    /// As [`View::open`], without the mouse.
    #[track_caller]
    pub fn by_keyboard(builder: Builder, name: &str) -> Self {
        let ast = builder.start();
        let browser = Browser::start(&ast);
        let view = Self { browser, ast };
        view.browser.open("/userpresence/");
        view.wait_focus("#name");
        view.browser.keys(name);
        view.tab_to("#password");
        view.browser.keys("secret");
        view.browser.keys(key::ENTER);
        view.wait_focus("#board");
        view
    }

    /// Waits until such an element has the focus.
    #[track_caller]
    pub fn wait_focus(&self, selector: &str) {
        let selector = json!(selector);
        self.browser
            .wait(&format!("document.activeElement?.matches({selector})"));
    }

    /// Goes to another address of the board.
    #[track_caller]
    pub fn go(&self, address: &str) {
        self.browser
            .run("location.hash = arguments[0]", &[json!(address)]);
        self.wait_shown();
    }

    #[track_caller]
    pub fn wait_shown(&self) {
        self.browser
            .wait("document.querySelector('#view .page h2')");
    }

    /// Waits until the first such element has this text.
    #[track_caller]
    pub fn wait_text(&self, selector: &str, text: &str) {
        wait_until(&format!("{text} in {selector}"), || {
            self.browser.text(selector).contains(text).then_some(())
        });
    }

    /// Presses the tabulator until such an element has the focus.
    #[track_caller]
    pub fn tab_to(&self, selector: &str) {
        for _ in 0..200 {
            self.browser.keys(key::TAB);
            let there = self.browser.run(
                "return document.activeElement.matches(arguments[0])",
                &[json!(selector)],
            );
            if there == true {
                return;
            }
        }
        panic!("the tabulator does not reach {selector}");
    }

    /// Asserts that axe-core finds nothing in light and dark, on a narrow page, with text of
    /// twice the size and with forced colours, and that nothing is wider than the page.
    #[track_caller]
    pub fn is_accessible(&self, name: &str) {
        let page = &self.browser;
        for (look, width, text) in [
            ("light", 1040, 100),
            ("dark", 1040, 100),
            ("light", 320, 100),
            ("light", 1040, 200),
            ("forced", 1040, 100),
        ] {
            page.size(width, 900, false);
            page.colours(look);
            page.run(
                "document.documentElement.style.fontSize = arguments[0] + '%'",
                &[json!(text)],
            );
            page.mouse_away();
            let place = format!("{name}, {look}, {width} px, {text} %");
            assert_eq!(page.accessibility(), Vec::<String>::new(), "{place}");
            let wide = page.run(
                "const most = document.documentElement.clientWidth; \
                 return [...document.querySelectorAll('main *, dialog *')].filter((it) => { \
                   const box = it.getBoundingClientRect(); \
                   return box.width > 1 && box.right > most + 1 && !it.closest('option') }).map((it) => it.outerHTML.slice(0, 200))",
                &[],
            );
            assert_eq!(wide, json!([]), "{place}");
        }
        page.size(1040, 900, false);
        page.colours("light");
        page.run("document.documentElement.style.fontSize = ''", &[]);
    }

    /// Asserts that the browser logged no error of the page. It also logs the refusals of the
    /// server, which are no errors of the page.
    #[track_caller]
    pub fn no_errors(&self) {
        let mut entries = self.browser.console();
        entries.retain(|it| !it.contains("the server responded with a status of 4"));
        assert!(entries.is_empty(), "{entries:#?}");
    }
}
