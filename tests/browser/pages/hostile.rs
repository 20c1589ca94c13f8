//! Cross-site scripting: texts that run as a script on a page that does not escape them.
//!
//! The texts are well-known payloads from the OWASP cheat sheet on filter evasion, and later polyglots.
//! Each breaks out of a different context, and sets `window.xss` or opens a dialog.
//!
//! The Content-Security-Policy is disabled for these tests, so that they test the escaping alone. Tests
//! of the server check that the policy is sent.

use serde_json::{Value, json};

use crate::chromium::page::Page;
use crate::kit::{Server, eventually, with};

/// Texts that a page must show unchanged.
pub(crate) const TEXTS: [&str; 46] = [
    "<script>window.xss=1</script>",
    "<ScRiPt>window.xss=1</sCrIpT>",
    "<script src=data:,window.xss=1></script>",
    "<script>alert(1)//",
    "<<script>window.xss=1;//<</script>",
    "</script><script>window.xss=1</script>",
    "</title><script>window.xss=1</script>",
    "</textarea><script>window.xss=1</script>",
    "</style><script>window.xss=1</script>",
    "</noscript><script>window.xss=1</script>",
    "</template><script>window.xss=1</script>",
    "</pre></code><script>window.xss=1</script>",
    "--><script>window.xss=1</script><!--",
    "]]><script>window.xss=1</script>",
    "<img src=x onerror=window.xss=1>",
    "<img src=\"x\" onerror=\"window.xss=1\">",
    "<img src=x:x onerror=\\u0061lert(1)>",
    "<img/src/onerror=window.xss=1>",
    "<image src=x onerror=window.xss=1>",
    "\"><img src=x onerror=window.xss=1>",
    "'><img src=x onerror=window.xss=1>",
    "`><img src=x onerror=window.xss=1>",
    "\" onmouseover=\"window.xss=1\" autofocus onfocus=\"window.xss=1",
    "' autofocus onfocus='window.xss=1",
    "\" style=\"animation-name:x\" onanimationstart=\"window.xss=1",
    "<svg onload=window.xss=1>",
    "<svg><script>window.xss=1</script></svg>",
    "<svg><animate onbegin=window.xss=1 attributeName=x dur=1s>",
    "<svg><a xlink:href=\"javascript:window.xss=1\"><text y=9>a</text></a></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.xss=1></style></mglyph></table>",
    "<body onload=window.xss=1>",
    "<iframe src=\"javascript:parent.xss=1\"></iframe>",
    "<iframe srcdoc=\"<script>parent.xss=1</script>\"></iframe>",
    "<object data=\"javascript:window.xss=1\"></object>",
    "<embed src=\"javascript:window.xss=1\">",
    "<details open ontoggle=window.xss=1>",
    "<video><source onerror=window.xss=1></video>",
    "<input autofocus onfocus=window.xss=1>",
    "<a href=\"javascript:window.xss=1\">a</a>",
    "javascript:window.xss=1",
    "java\tscript:window.xss=1",
    "<meta http-equiv=refresh content=\"0;url=data:text/html,<script>alert(1)</script>\">",
    "<base href=\"//evil.example/\"><link rel=stylesheet href=//evil.example/x.css>",
    "{{constructor.constructor('window.xss=1')()}}${window.xss=1}#{window.xss=1}",
    "\\\";window.xss=1;//\\';window.xss=1;//\u{2028}\u{feff}&lt;script&gt;window.xss=1&lt;/script&gt;",
    "jaVasCript:/*-/*`/*\\`/*'/*\"/**/(/* */oNcliCk=window.xss=1 )//%0D%0A%0d%0a//</stYle/</titLe/</teXtarEa/</scRipt/--!>\\x3csVg/<sVg/oNloAd=window.xss=1//>\\x3e",
];

/// Jobs and a batch that contain a text in every field that accepts any text.
struct PlantedText<'a> {
    text: &'a str,
    batch: i64,
    /// A job that runs after a failed attempt.
    running: i64,
    completed: i64,
}

/// Returns the text without control characters, truncated to a number of bytes.
fn short(text: &str, bytes: usize) -> String {
    let mut short: String = text.chars().filter(|letter| !letter.is_control()).collect();
    while short.len() > bytes {
        short.pop();
    }
    short
}

fn plant<'a>(server: &Server, text: &'a str) -> PlantedText<'a> {
    let payload = json!({"text": text, "in a list": [text], text: 1});
    let job = json!({"kind": "show", "lane": "remote", "queue": "hostile", "payload": payload,
        "tags": [short(text, 64)]});
    let batch = server.post("/v1/batches", &json!({"name": text, "jobs": [job, job]})).expect(202);
    let call = json!({"worker": short(text, 128), "limit": 2});
    let lease = || server.post("/v1/leases", &call).expect(200)["jobs"].clone();
    let act = |leased: &Value, action: &str, body: Value| {
        let body = with(body, &json!({"lease_token": leased["lease_token"]}));
        server.post(&format!("/v1/leases/{}/{action}", leased["id"]), &body).expect(200);
    };
    let first = lease();
    let error = json!({"code": short(text, 64), "message": text});
    act(&first[0], "complete", json!({"result": {"text": text, text: [text]}}));
    act(&first[1], "fail", json!({"error": error, "retry_in": "0s"}));
    let again = eventually("the job is leased again", || lease().get(0).cloned());
    act(&again, "renew", json!({"progress": {"percent": 42, "message": text}, "log": text}));
    let id = |leased: &Value| leased["id"].as_i64().unwrap();
    PlantedText { text, batch: id(&batch), running: id(&again), completed: id(&first[0]) }
}

/// Opens a page and checks that it shows each text at least the given number of times, and that no
/// text became an element or ran as a script.
fn open_and_check(page: &Page, path: &str, texts: &[(&str, usize)]) {
    page.goto(path);
    check(page, texts);
}

fn check(page: &Page, texts: &[(&str, usize)]) {
    page.wait_for("the page is loaded", "document.readyState === 'complete'");
    let path = page.path();
    assert!(!page.ran_hostile_script(), "{path} ran one of {texts:?} as a script");
    let foreign = page.run(FOREIGN_ELEMENTS, &json!([]));
    assert_eq!(foreign, json!([]), "{path} made elements of one of {texts:?}");
    let shown = page.run(SHOWN, &json!([])).as_str().unwrap().to_owned();
    for (text, times) in texts {
        let count = shown.matches(text).count();
        assert!(count >= *times, "{path} shows {text} {count} times, expected {times}:\n{shown}");
    }
}

/// Returns the elements that no page of this server contains by itself.
const FOREIGN_ELEMENTS: &str = r"
    const own = location.origin + '/';
    const is_foreign = (element) =>
        element.getAttributeNames().some((name) => name.startsWith('on'))
        || ['IFRAME', 'OBJECT', 'EMBED', 'IMG', 'BASE', 'ANIMATE', 'STYLE'].includes(element.nodeName.toUpperCase())
        || (element.nodeName.toUpperCase() === 'SCRIPT' && !element.src.startsWith(own))
        || /^\s*j[\s]*a[\s]*v[\s]*a[\s]*script:/i.test(element.getAttribute('href') ?? '');
    return Array.from(document.querySelectorAll('*')).filter(is_foreign).map((e) => e.outerHTML)";

/// Returns all text of a page, including the values of its fields.
const SHOWN: &str = "
    const fields = Array.from(document.querySelectorAll('input, textarea'), (field) => field.value);
    return document.title + document.body.textContent + fields.join(' ')";

/// Checks every page that shows any of these texts.
fn check_all_pages(texts: &[&'static str]) {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/") else { return };
    page.disable_policy();
    for planted in texts.iter().map(|text| plant(&server, text)) {
        let PlantedText { text, batch, running, completed } = planted;
        let in_json = json!(text).to_string();
        let in_json = in_json.trim_matches('"');
        // Shown in the error, the timeline, the progress, the log and the payload. The payload also has it
        // as a key, which may be shown with or without escapes.
        open_and_check(&page, &format!("/jobs/{running}"), &[(text, 3), (in_json, 2)]);
        open_and_check(&page, &format!("/jobs/{completed}"), &[(in_json, 4)]);
        open_and_check(&page, &format!("/batches/{batch}"), &[(text, 1), (&short(text, 64), 3)]);
        open_and_check(&page, &format!("/submit?from={completed}"), &[(in_json, 3)]);
    }
    let tags: Vec<String> = texts.iter().map(|text| short(text, 64)).collect();
    let tags: Vec<(&str, usize)> = tags.iter().map(|tag| (tag.as_str(), 1)).collect();
    open_and_check(&page, "/jobs", &tags);
    let names: Vec<(&str, usize)> = texts.iter().map(|text| (*text, 1)).collect();
    open_and_check(&page, "/batches", &names);
    open_and_check(&page, "/", &[]);
    open_and_check(&page, "/queues/hostile", &[]);
    page.assert_clean();
}

#[test]
fn script_texts_are_shown_and_do_not_run_first_half() {
    check_all_pages(&TEXTS[..TEXTS.len() / 2]);
}

#[test]
fn script_texts_are_shown_and_do_not_run_second_half() {
    check_all_pages(&TEXTS[TEXTS.len() / 2..]);
}

#[test]
fn script_texts_in_the_address_are_shown_and_do_not_run() {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/") else { return };
    page.disable_policy();
    for text in TEXTS {
        let text = page.run("return encodeURIComponent(arguments[0])", &json!([text]));
        let all = |names: &[&str]| {
            let fields = names.iter().map(|name| format!("{name}={}", text.as_str().unwrap()));
            fields.collect::<Vec<_>>().join("&")
        };
        // Parameters that accept any text, and parameters that do not.
        for names in [&["tag", "kind"][..], &["id", "state", "queue", "batch", "cursor", "trail"]] {
            open_and_check(&page, &format!("/jobs?{}", all(names)), &[]);
        }
        open_and_check(&page, &format!("/submit?{}", all(&["kind", "as", "from"])), &[]);
        open_and_check(&page, &format!("/demo?{}", all(&["model", "provider"])), &[]);
    }
    page.assert_clean_except(&["status of 400"]);
}

#[test]
fn script_texts_typed_into_a_form_are_shown_again_and_do_not_run() {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/") else { return };
    page.disable_policy();
    for texts in TEXTS.chunks(6) {
        page.goto("/submit?kind=http");
        let fields = ["url", "headers", "body", "queue", "delay", "idempotency_key"];
        let texts: Vec<String> = texts.iter().map(|text| short(text, 1_000)).collect();
        for (field, text) in fields.iter().zip(&texts) {
            page.fill(&format!("#{field}"), text);
        }
        page.press("Submit");
        page.wait_for("an error is shown", "document.querySelector('[aria-invalid=true]')");
        let texts: Vec<(&str, usize)> = texts.iter().map(|text| (text.as_str(), 1)).collect();
        check(&page, &texts);
    }
    page.assert_clean_except(&["status of 422"]);
}

#[test]
fn script_texts_that_arrive_while_a_page_is_open_do_not_run() {
    let server = Server::start();
    let job = json!({"kind": "show", "lane": "remote", "payload": 1, "max_attempts": 3});
    let id = server.submit(&job);
    let Some(page) = Page::open(&server, &format!("/jobs/{id}")) else { return };
    page.disable_policy();
    page.goto(&format!("/jobs/{id}"));
    for texts in TEXTS.chunks(TEXTS.len() / 2) {
        let all = texts.join(" ");
        let leased =
            server.post("/v1/leases", &json!({"worker": "ann"})).expect(200)["jobs"][0].clone();
        let failure = json!({"lease_token": leased["lease_token"], "retry_in": "0s",
            "error": {"code": "shown", "message": all}});
        server.post(&format!("/v1/leases/{id}/fail"), &failure).expect(200);
        page.until("the page shows the text", || {
            let shown = page.run(SHOWN, &json!([]));
            shown.as_str().unwrap().contains(&all).then_some(())
        });
        check(&page, &[(&all, 1)]);
    }
    page.assert_clean();
}
