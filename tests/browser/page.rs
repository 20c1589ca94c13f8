//! A page in a browser, as a user meets it: what it shows, what can be pressed.
//!
//! Parts of a page are replaced while it is open. So each act looks for its element anew, until it
//! could be done, and nothing here keeps an element for later.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::clean::Requests;
use crate::driver::Driver;
use crate::kit::{LONG, Server};

/// By this name WebDriver hands elements out.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

const BACKSPACE: &str = "\u{e003}";

/// Finds elements by what they are called, as a user does: `named(document, "button", "Cancel")`.
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
    /// Opens a page of a server; none where there is no browser here.
    pub(crate) fn open(server: &Server, path: &str) -> Option<Self> {
        Self::of_origin(&server.url(), path)
    }

    /// Opens a page of any server.
    pub(crate) fn of_origin(origin: &str, path: &str) -> Option<Self> {
        let page = Self::blank(origin)?;
        page.goto(path);
        Some(page)
    }

    /// A browser that shows nothing as yet.
    pub(crate) fn blank(origin: &str) -> Option<Self> {
        let (driver, origin) = (Driver::start()?, origin.to_owned());
        let page = Self { driver, requests: Requests::of(&origin), origin };
        page.size(1280, 900);
        Some(page)
    }

    /// Opens another page of the same server, as if its address were typed in.
    pub(crate) fn goto(&self, path: &str) {
        let url = format!("{}{path}", self.origin);
        self.must("/url", &json!({"url": url}));
    }

    /// The path of the page that is open, with what stands behind it.
    pub(crate) fn path(&self) -> String {
        let url = self.driver.get("/url").unwrap_or_else(|why| panic!("{why}"));
        let url = url.as_str().unwrap();
        url.strip_prefix(&self.origin).unwrap_or(url).to_owned()
    }

    /// Gives the page this much room. Where that is less than a window may have, it is a phone's.
    pub(crate) fn size(&self, width: u32, height: u32) {
        if width < 600 {
            let phone =
                json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": true});
            self.driver.devtools("Emulation.setDeviceMetricsOverride", &phone);
            return;
        }
        self.must("/window/rect", &json!({"width": width, "height": height}));
        let inside = self.value("[innerWidth, innerHeight]");
        let frame = |side: u32, at: usize| {
            side + side - u32::try_from(inside[at].as_u64().unwrap()).unwrap()
        };
        self.must("/window/rect", &json!({"width": frame(width, 0), "height": frame(height, 1)}));
        self.wait_for(
            "the room is there",
            &format!("innerWidth === {width} && innerHeight === {height}"),
        );
    }

    /// Makes the page believe that it has this much room, whatever its window has. Elements outside the
    /// window cannot be pressed then.
    pub(crate) fn frame(&self, width: u32, height: u32) {
        let room = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.driver.devtools("Emulation.setDeviceMetricsOverride", &room);
    }

    /// Has the page be looked at by someone who prefers `light` or `dark`.
    pub(crate) fn prefer(&self, scheme: &str) {
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.driver.devtools("Emulation.setEmulatedMedia", &json!({"features": [feature]}));
    }

    /// Forbids the pages that are opened from here on to run scripts, or allows it again. What a
    /// test runs in them is not held back.
    pub(crate) fn allow_scripts(&self, allowed: bool) {
        let params = json!({"value": !allowed});
        self.driver.devtools("Emulation.setScriptExecutionDisabled", &params);
    }

    /// Lets pages read and write what was copied, as people who are asked do.
    pub(crate) fn allow_clipboard(&self) {
        let permissions = json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]});
        self.driver.devtools("Browser.grantPermissions", &permissions);
    }

    /// Takes the Content-Security-Policy away from the pages that are opened from here on.
    pub(crate) fn forget_policy(&self) {
        self.driver.devtools("Page.setBypassCSP", &json!({"enabled": true}));
    }

    /// Runs a function's body in the page. A promise is waited for.
    pub(crate) fn run(&self, script: &str, args: &Value) -> Value {
        self.try_run(script, args).unwrap_or_else(|why| panic!("{why}\nin: {script}"))
    }

    fn try_run(&self, script: &str, args: &Value) -> Result<Value, String> {
        self.driver.post("/execute/sync", &json!({"script": script, "args": args}))
    }

    /// What an expression gives in the page.
    pub(crate) fn value(&self, expression: &str) -> Value {
        self.run(&format!("return {expression};"), &json!([]))
    }

    /// The text of the first element of its kind; none where there is none.
    pub(crate) fn text(&self, selector: &str) -> Option<String> {
        let script = "return document.querySelector(arguments[0])?.innerText";
        self.run(script, &json!([selector])).as_str().map(str::to_owned)
    }

    /// The text of the whole page.
    pub(crate) fn all_text(&self) -> String {
        self.text("body").unwrap_or_default()
    }

    /// How many elements there are of a kind.
    pub(crate) fn count(&self, selector: &str) -> u64 {
        let script = "return document.querySelectorAll(arguments[0]).length";
        self.run(script, &json!([selector])).as_u64().unwrap()
    }

    /// Waits until an expression holds in the page.
    pub(crate) fn wait_for(&self, what: &str, expression: &str) {
        let script = format!("return !!({expression});");
        // A page that is just being left answers with an error.
        self.until(what, || (self.try_run(&script, &json!([])) == Ok(json!(true))).then_some(()));
    }

    /// Waits until the page says something.
    pub(crate) fn wait_for_text(&self, text: &str) {
        let script = "return document.body.innerText.includes(arguments[0])";
        let look = || (self.try_run(script, &json!([text])) == Ok(json!(true))).then_some(());
        self.until(&format!("the page says {text:?}"), look);
    }

    /// Waits until the page is at this path.
    pub(crate) fn wait_for_path(&self, path: &str) {
        self.until(&format!("the page is {path}"), || (self.path() == path).then_some(()));
    }

    /// Presses the element that a selector finds.
    pub(crate) fn click(&self, selector: &str) {
        self.act(
            selector,
            "return document.querySelector(arguments[0])",
            &json!([selector]),
            |id| self.driver.post(&format!("/element/{id}/click"), &json!({})),
        );
    }

    /// Presses the button of this name.
    pub(crate) fn press(&self, name: &str) {
        self.click_named("button", name);
    }

    /// Follows the link of this name.
    pub(crate) fn follow(&self, name: &str) {
        self.click_named("a", name);
    }

    fn click_named(&self, selector: &str, name: &str) {
        let script = format!("{NAMED} return named(document, arguments[0], arguments[1])[0]");
        self.act(&format!("{selector} {name:?}"), &script, &json!([selector, name]), |id| {
            self.driver.post(&format!("/element/{id}/click"), &json!({}))
        });
    }

    /// Writes into a field in place of what stands there.
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        self.click(selector);
        self.run("document.activeElement.select()", &json!([]));
        if text.is_empty() {
            self.keys(BACKSPACE);
        } else {
            self.driver.devtools("Input.insertText", &json!({"text": text}));
        }
        let now = "return document.querySelector(arguments[0])?.value";
        assert_eq!(self.run(now, &json!([selector])), text, "{selector} is not written into");
    }

    /// Chooses from a list by the value.
    pub(crate) fn choose(&self, selector: &str, value: &str) {
        let script = "const list = document.querySelector(arguments[0]);
            return Array.from(list?.options ?? []).find((option) => option.value === arguments[1])";
        self.act(&format!("{selector} {value}"), script, &json!([selector, value]), |id| {
            self.driver.post(&format!("/element/{id}/click"), &json!({}))
        });
    }

    /// Presses keys, wherever the focus is. `\u{e004}` is Tab, `\u{e007}` is Enter.
    pub(crate) fn keys(&self, keys: &str) {
        let presses = keys.chars().flat_map(|key| {
            let key = key.to_string();
            [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})]
        });
        let keyboard = json!({"type": "key", "id": "keys", "actions": presses.collect::<Vec<_>>()});
        self.must("/actions", &json!({"actions": [keyboard]}));
    }

    /// Does something with an element, which a script gives, once it is there.
    fn act(
        &self,
        what: &str,
        script: &str,
        args: &Value,
        deed: impl Fn(&str) -> Result<Value, String>,
    ) {
        let mut why = String::new();
        let began = Instant::now();
        while began.elapsed() < LONG {
            let found = self.try_run(script, args).unwrap_or_default();
            match found[ELEMENT].as_str().map(&deed) {
                Some(Ok(_)) => return,
                Some(Err(refusal)) => why = refusal,
                None => why = "there is none".into(),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{what}: {why}");
    }

    /// Looks again and again until there is something to see.
    pub(crate) fn until<T>(&self, what: &str, look: impl FnMut() -> Option<T>) -> T {
        self.until_within(1, what, look)
    }

    /// The same for what takes so many times as long.
    pub(crate) fn until_within<T>(
        &self,
        times: u32,
        what: &str,
        mut look: impl FnMut() -> Option<T>,
    ) -> T {
        let began = Instant::now();
        while began.elapsed() < times * LONG {
            if let Some(seen) = look() {
                return seen;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("in {} s this did not come about: {what}", (times * LONG).as_secs());
    }

    /// Whether a dialog is open.
    pub(crate) fn has_dialog(&self) -> bool {
        self.driver.get("/alert/text").is_ok()
    }

    /// Whether a script has run that came in a text; see [`crate::hostile`].
    pub(crate) fn was_harmed(&self) -> bool {
        let harm = self.try_run("return window.xss !== undefined", &json!([]));
        self.has_dialog() || harm == Ok(json!(true))
    }

    /// The page as a picture, in PNG.
    pub(crate) fn picture(&self) -> Vec<u8> {
        self.try_picture().expect("a picture is taken")
    }

    fn try_picture(&self) -> Option<Vec<u8>> {
        use base64::Engine;
        let text = self.driver.get("/screenshot").ok()?;
        base64::engine::general_purpose::STANDARD.decode(text.as_str()?).ok()
    }

    /// The page as those meet it who do not see it: each node with its role and its name.
    pub(crate) fn accessibility_tree(&self) -> Vec<Value> {
        let tree = self.driver.devtools("Accessibility.getFullAXTree", &json!({}));
        tree["nodes"].as_array().unwrap().clone()
    }

    /// Checks that nothing was complained about, and that nothing was asked of anyone else.
    pub(crate) fn assert_clean(&self) {
        assert!(!self.has_dialog(), "a dialog is open");
        self.requests.assert_own(&self.driver.log("performance"));
        crate::clean::assert_silent(&self.driver.log("browser"), &[]);
    }

    /// The same, where these complaints belong to the test.
    pub(crate) fn assert_clean_but_for(&self, expected: &[&str]) {
        self.requests.assert_own(&self.driver.log("performance"));
        crate::clean::assert_silent(&self.driver.log("browser"), expected);
    }

    fn must(&self, path: &str, body: &Value) {
        self.driver.post(path, body).unwrap_or_else(|why| panic!("{path}: {why}"));
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let script = "return location.href + '\\n' + document.body.innerText";
            let shown = self.try_run(script, &json!([])).unwrap_or_else(Value::String);
            eprintln!("--- the page\n{}\n--- end of the page", shown.as_str().unwrap_or_default());
            if let Some(picture) = self.try_picture() {
                let test = std::thread::current().name().unwrap_or_default().replace("::", "-");
                let path = format!("{}/{test}.png", env!("CARGO_TARGET_TMPDIR"));
                std::fs::write(&path, picture).unwrap();
                eprintln!("it looks like {path}");
            }
        }
    }
}
