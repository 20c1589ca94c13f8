//! A page in a browser, with the actions of a user.
//!
//! Elements are replaced while a page is open. Every action therefore finds its element again and is
//! retried until it succeeds; no element is kept for later.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::chromium::driver::Driver;
use crate::chromium::host::BrowserHost;
use crate::chromium::page_checks::Requests;
use crate::kit::{Server, TEST_TIMEOUT};

/// The key under which WebDriver returns the id of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

const BACKSPACE: &str = "\u{e003}";

/// A script function that finds elements by their names: `named(document, "button", "Cancel")`.
const NAMED: &str = "
    const nameOf = (element) => {
        const label = element.getAttribute('aria-label');
        const labels = Array.from(element.labels ?? [], (label) => label.innerText);
        const text = element.innerText || element.value || '';
        return (label ?? (labels.length ? labels.join(' ') : text)).replace(/\\s+/g, ' ').trim();
    };
    const named = (root, selector, name) => Array.from(root.querySelectorAll(selector))
        .filter((element) => nameOf(element) === name);
";

/// A browser on a page of a server.
pub(crate) struct Page {
    driver: Driver,
    origin: String,
    pub(crate) requests: Requests,
}

impl Page {
    /// Opens a page of a server. Returns `None` if this machine has no browser.
    pub(crate) fn open(server: &Server, path: &str) -> Option<Self> {
        Self::open_at(&server.url(), path)
    }

    /// Opens a page of any server.
    pub(crate) fn open_at(origin: &str, path: &str) -> Option<Self> {
        let page = Self::blank(origin)?;
        page.goto(path);
        Some(page)
    }

    /// Opens a browser without a page.
    pub(crate) fn blank(origin: &str) -> Option<Self> {
        Self::blank_on(&BrowserHost::local(), origin)
    }

    /// Opens a browser without a page on a host.
    pub(crate) fn blank_on(host: &BrowserHost, origin: &str) -> Option<Self> {
        let (driver, origin) = (Driver::start(host)?, origin.to_owned());
        let page = Self { driver, requests: Requests::new(&origin), origin };
        page.size(1280, 900);
        Some(page)
    }

    /// Opens another page of the same server.
    pub(crate) fn goto(&self, path: &str) {
        let url = format!("{}{path}", self.origin);
        self.post("/url", &json!({"url": url}));
    }

    /// Returns the path of the open page with its query string.
    pub(crate) fn path(&self) -> String {
        let url = self.driver.get("/url").unwrap_or_else(|error| panic!("{error}"));
        let url = url.as_str().unwrap();
        url.strip_prefix(&self.origin).unwrap_or(url).to_owned()
    }

    /// Returns a cookie of the open page, with its attributes.
    pub(crate) fn cookie(&self, name: &str) -> Option<Value> {
        self.driver.get(&format!("/cookie/{name}")).ok()
    }

    /// Sets the size of the page. Sizes below the minimum of a window emulate a phone.
    pub(crate) fn size(&self, width: u32, height: u32) {
        if width < 600 {
            let phone =
                json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": true});
            self.driver.devtools("Emulation.setDeviceMetricsOverride", &phone);
            return;
        }
        self.post("/window/rect", &json!({"width": width, "height": height}));
        let inside = self.value("[innerWidth, innerHeight]");
        let frame = |side: u32, at: usize| {
            side + side - u32::try_from(inside[at].as_u64().unwrap()).unwrap()
        };
        self.post("/window/rect", &json!({"width": frame(width, 0), "height": frame(height, 1)}));
        self.wait_for(
            "the page has its size",
            &format!("innerWidth === {width} && innerHeight === {height}"),
        );
    }

    /// Emulates a page size that is independent of the window. Elements outside the window cannot be
    /// clicked then.
    pub(crate) fn emulate_size(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.driver.devtools("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Sets the preferred colour scheme: `light` or `dark`.
    pub(crate) fn set_color_scheme(&self, scheme: &str) {
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.driver.devtools("Emulation.setEmulatedMedia", &json!({"features": [feature]}));
    }

    /// Forbids or allows scripts on the pages that are opened from now on. Scripts of a test still run.
    pub(crate) fn allow_scripts(&self, allowed: bool) {
        let params = json!({"value": !allowed});
        self.driver.devtools("Emulation.setScriptExecutionDisabled", &params);
    }

    /// Grants pages access to the clipboard.
    pub(crate) fn allow_clipboard(&self) {
        let permissions = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
        self.driver.devtools("Browser.grantPermissions", &permissions);
    }

    /// Disables the Content-Security-Policy of the pages that are opened from now on.
    pub(crate) fn disable_policy(&self) {
        self.driver.devtools("Page.setBypassCSP", &json!({"enabled": true}));
    }

    /// Runs the body of a function in the page. A returned promise is awaited.
    pub(crate) fn run(&self, script: &str, args: &Value) -> Value {
        self.try_run(script, args).unwrap_or_else(|error| panic!("{error}\nin: {script}"))
    }

    fn try_run(&self, script: &str, args: &Value) -> Result<Value, String> {
        self.driver.post("/execute/sync", &json!({"script": script, "args": args}))
    }

    /// Returns the value of an expression in the page.
    pub(crate) fn value(&self, expression: &str) -> Value {
        self.run(&format!("return {expression};"), &json!([]))
    }

    /// Returns the text of the first element that matches a selector.
    pub(crate) fn text(&self, selector: &str) -> Option<String> {
        let script = "return document.querySelector(arguments[0])?.innerText";
        self.run(script, &json!([selector])).as_str().map(str::to_owned)
    }

    /// Returns the text of the whole page.
    pub(crate) fn all_text(&self) -> String {
        self.text("body").unwrap_or_default()
    }

    /// Returns the number of elements that match a selector.
    pub(crate) fn count(&self, selector: &str) -> u64 {
        let script = "return document.querySelectorAll(arguments[0]).length";
        self.run(script, &json!([selector])).as_u64().unwrap()
    }

    /// Waits until an expression is true in the page.
    pub(crate) fn wait_for(&self, what: &str, expression: &str) {
        let script = format!("return !!({expression});");
        // While the browser loads another page, the script fails.
        self.until(what, || (self.try_run(&script, &json!([])) == Ok(json!(true))).then_some(()));
    }

    /// Waits until the page shows a text.
    pub(crate) fn wait_for_text(&self, text: &str) {
        let script = "return document.body.innerText.includes(arguments[0])";
        let is_shown = || (self.try_run(script, &json!([text])) == Ok(json!(true))).then_some(());
        self.until(&format!("the page shows {text:?}"), is_shown);
    }

    /// Waits until the page is at this path.
    pub(crate) fn wait_for_path(&self, path: &str) {
        self.until(&format!("the page is {path}"), || (self.path() == path).then_some(()));
    }

    /// Clicks the first element that matches a selector.
    pub(crate) fn click(&self, selector: &str) {
        self.act(
            selector,
            "return document.querySelector(arguments[0])",
            &json!([selector]),
            |id| self.driver.post(&format!("/element/{id}/click"), &json!({})),
        );
    }

    /// Clicks the button with this name.
    pub(crate) fn press(&self, name: &str) {
        self.click_named("button", name);
    }

    /// Clicks the link with this name.
    pub(crate) fn follow(&self, name: &str) {
        self.click_named("a", name);
    }

    fn click_named(&self, selector: &str, name: &str) {
        let script = format!("{NAMED} return named(document, arguments[0], arguments[1])[0]");
        self.act(&format!("{selector} {name:?}"), &script, &json!([selector, name]), |id| {
            self.driver.post(&format!("/element/{id}/click"), &json!({}))
        });
    }

    /// Replaces the text of a field.
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        self.click(selector);
        self.run("document.activeElement.select()", &json!([]));
        if text.is_empty() {
            self.keys(BACKSPACE);
        } else {
            self.driver.devtools("Input.insertText", &json!({"text": text}));
        }
        let now = "return document.querySelector(arguments[0])?.value";
        assert_eq!(self.run(now, &json!([selector])), text, "{selector} did not accept the text");
    }

    /// Selects an option of a list by its value.
    pub(crate) fn select(&self, selector: &str, value: &str) {
        let script = "const list = document.querySelector(arguments[0]);
            return Array.from(list?.options ?? []).find((option) => option.value === arguments[1])";
        self.act(&format!("{selector} {value}"), script, &json!([selector, value]), |id| {
            self.driver.post(&format!("/element/{id}/click"), &json!({}))
        });
    }

    /// Presses keys in the element that has the focus. `\u{e004}` is Tab, `\u{e007}` is Enter.
    pub(crate) fn keys(&self, keys: &str) {
        let presses = keys.chars().flat_map(|key| {
            let key = key.to_string();
            [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})]
        });
        let keyboard = json!({"type": "key", "id": "keys", "actions": presses.collect::<Vec<_>>()});
        self.post("/actions", &json!({"actions": [keyboard]}));
    }

    /// Performs an action on the element that a script returns. Retries until the action succeeds.
    fn act(
        &self,
        what: &str,
        script: &str,
        args: &Value,
        action: impl Fn(&str) -> Result<Value, String>,
    ) {
        let mut error = String::new();
        let started_at = Instant::now();
        while started_at.elapsed() < TEST_TIMEOUT {
            let found = self.try_run(script, args).unwrap_or_default();
            match found[ELEMENT].as_str().map(&action) {
                Some(Ok(_)) => return,
                Some(Err(refusal)) => error = refusal,
                None => error = "no such element".into(),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{what}: {error}");
    }

    /// Polls until `poll` returns a value.
    pub(crate) fn until<T>(&self, what: &str, poll: impl FnMut() -> Option<T>) -> T {
        self.until_within(1, what, poll)
    }

    /// Polls like [`Page::until`], with a timeout that is `times` as long.
    pub(crate) fn until_within<T>(
        &self,
        times: u32,
        what: &str,
        mut poll: impl FnMut() -> Option<T>,
    ) -> T {
        let started_at = Instant::now();
        while started_at.elapsed() < times * TEST_TIMEOUT {
            if let Some(value) = poll() {
                return value;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("did not happen within {} s: {what}", (times * TEST_TIMEOUT).as_secs());
    }

    /// Returns whether a dialog is open.
    pub(crate) fn has_dialog(&self) -> bool {
        self.driver.get("/alert/text").is_ok()
    }

    /// Returns whether a script of a hostile text has run; see [`crate::hostile`].
    pub(crate) fn ran_hostile_script(&self) -> bool {
        let is_set = self.try_run("return window.xss !== undefined", &json!([]));
        self.has_dialog() || is_set == Ok(json!(true))
    }

    /// Takes a screenshot of the page in PNG format.
    pub(crate) fn screenshot(&self) -> Vec<u8> {
        self.try_screenshot().expect("a screenshot is taken")
    }

    fn try_screenshot(&self) -> Option<Vec<u8>> {
        use base64::Engine;
        let text = self.driver.get("/screenshot").ok()?;
        base64::engine::general_purpose::STANDARD.decode(text.as_str()?).ok()
    }

    /// Returns the accessibility tree of the page: each node with its role and its name.
    pub(crate) fn accessibility_tree(&self) -> Vec<Value> {
        let tree = self.driver.devtools("Accessibility.getFullAXTree", &json!({}));
        tree["nodes"].as_array().unwrap().clone()
    }

    /// Checks that no dialog is open, that the console is empty, and that no other server got a request.
    pub(crate) fn assert_clean(&self) {
        assert!(!self.has_dialog(), "a dialog is open");
        self.requests.assert_own(&self.driver.log("performance"));
        crate::chromium::page_checks::assert_silent(&self.driver.log("browser"), &[]);
    }

    /// Checks the same, but allows console messages that contain one of these texts.
    pub(crate) fn assert_clean_except(&self, expected: &[&str]) {
        self.requests.assert_own(&self.driver.log("performance"));
        crate::chromium::page_checks::assert_silent(&self.driver.log("browser"), expected);
    }

    fn post(&self, path: &str, body: &Value) {
        self.driver.post(path, body).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let script = "return location.href + '\\n' + document.body.innerText";
            let shown = self.try_run(script, &json!([])).unwrap_or_else(Value::String);
            eprintln!("--- the page\n{}\n--- end of the page", shown.as_str().unwrap_or_default());
            if let Some(screenshot) = self.try_screenshot() {
                let test = std::thread::current().name().unwrap_or_default().replace("::", "-");
                let path = format!("{}/{test}.png", env!("CARGO_TARGET_TMPDIR"));
                std::fs::write(&path, screenshot).unwrap();
                eprintln!("screenshot: {path}");
            }
        }
    }
}
