//! Texts that run as a script in a page that does not escape what it shows.
//!
//! Well-known forms, after the OWASP cheat sheet on the evasion of filters and polyglots of later
//! years: each breaks out of another context. Each sets `window.xss` or opens a dialog.
//!
//! The pages are looked at with their Content-Security-Policy taken away, so that escaping alone has
//! to hold; that the policy is there is a test of the server.

use serde_json::{Value, json};

use crate::kit::{Server, eventually, with};
use crate::page::Page;

/// What a page has to show letter by letter.
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

/// A text that a client has put wherever one may put a text.
struct Planted<'a> {
    text: &'a str,
    batch: i64,
    /// Runs, after a first attempt that failed.
    running: i64,
    completed: i64,
}

/// The text where only so many bytes and no control characters are taken.
fn short(text: &str, bytes: usize) -> String {
    let mut short: String = text.chars().filter(|letter| !letter.is_control()).collect();
    while short.len() > bytes {
        short.pop();
    }
    short
}

fn plant<'a>(server: &Server, text: &'a str) -> Planted<'a> {
    let payload = json!({"text": text, "in a list": [text], text: 1});
    let job = json!({"kind": "show", "lane": "remote", "queue": "hostile", "payload": payload,
        "tags": [short(text, 64)]});
    let batch = server.post("/v1/batches", &json!({"name": text, "jobs": [job, job]})).expect(202);
    let call = json!({"worker": short(text, 128), "limit": 2});
    let lease = || server.post("/v1/leases", &call).expect(200)["jobs"].clone();
    let act = |leased: &Value, verb: &str, told: Value| {
        let told = with(told, &json!({"lease_token": leased["lease_token"]}));
        server.post(&format!("/v1/leases/{}/{verb}", leased["id"]), &told).expect(200);
    };
    let first = lease();
    let error = json!({"code": short(text, 64), "message": text});
    act(&first[0], "complete", json!({"result": {"text": text, text: [text]}}));
    act(&first[1], "fail", json!({"error": error, "retry_in": "0s"}));
    let again = eventually("the job is there again", || lease().get(0).cloned());
    act(&again, "renew", json!({"progress": {"percent": 42, "message": text}, "log": text}));
    let id = |leased: &Value| leased["id"].as_i64().unwrap();
    Planted { text, batch: id(&batch), running: id(&again), completed: id(&first[0]) }
}

/// Checks that a page shows these texts, each at least so many times, and has made nothing of them.
fn look(page: &Page, path: &str, texts: &[(&str, usize)]) {
    page.goto(path);
    look_at_it(page, texts);
}

fn look_at_it(page: &Page, texts: &[(&str, usize)]) {
    page.wait_for("the page is there", "document.readyState === 'complete'");
    let path = page.path();
    assert!(!page.was_harmed(), "{path} has run one of {texts:?}");
    let made = page.run(MADE_OF_TEXTS, &json!([]));
    assert_eq!(made, json!([]), "{path} has made elements of one of {texts:?}");
    let shown = page.run(SHOWN, &json!([])).as_str().unwrap().to_owned();
    for (text, times) in texts {
        let seen = shown.matches(text).count();
        assert!(seen >= *times, "{path} shows {text} {seen} times and not {times}:\n{shown}");
    }
}

/// Elements that no page of ours has.
const MADE_OF_TEXTS: &str = r"
    const own = location.origin + '/';
    const is_foreign = (element) =>
        element.getAttributeNames().some((name) => name.startsWith('on'))
        || ['IFRAME', 'OBJECT', 'EMBED', 'IMG', 'BASE', 'ANIMATE', 'STYLE'].includes(element.nodeName.toUpperCase())
        || (element.nodeName.toUpperCase() === 'SCRIPT' && !element.src.startsWith(own))
        || /^\s*j[\s]*a[\s]*v[\s]*a[\s]*script:/i.test(element.getAttribute('href') ?? '');
    return Array.from(document.querySelectorAll('*')).filter(is_foreign).map((e) => e.outerHTML)";

/// All that a page has for a reader, in its fields too.
const SHOWN: &str = "
    const fields = Array.from(document.querySelectorAll('input, textarea'), (field) => field.value);
    return document.title + document.body.textContent + fields.join(' ')";

/// Looks at every page that shows any of these texts.
fn look_everywhere(texts: &[&'static str]) {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/") else { return };
    page.forget_policy();
    for planted in texts.iter().map(|text| plant(&server, text)) {
        let Planted { text, batch, running, completed } = planted;
        let in_json = json!(text).to_string();
        let in_json = in_json.trim_matches('"');
        // In the error and its attempt, in the progress, in the log; in the payload. The payload has it as a
        // key too, and keys may be shown with or without escapes.
        look(&page, &format!("/jobs/{running}"), &[(text, 3), (in_json, 2)]);
        look(&page, &format!("/jobs/{completed}"), &[(in_json, 4)]);
        look(&page, &format!("/batches/{batch}"), &[(text, 1), (&short(text, 64), 3)]);
        look(&page, &format!("/submit?from={completed}"), &[(in_json, 3)]);
    }
    let tags: Vec<String> = texts.iter().map(|text| short(text, 64)).collect();
    let tags: Vec<(&str, usize)> = tags.iter().map(|tag| (tag.as_str(), 1)).collect();
    look(&page, "/jobs", &tags);
    let names: Vec<(&str, usize)> = texts.iter().map(|text| (*text, 1)).collect();
    look(&page, "/batches", &names);
    look(&page, "/", &[]);
    look(&page, "/queues/hostile", &[]);
    page.assert_clean();
}

#[test]
fn a_text_that_is_a_script_is_shown_and_does_nothing() {
    look_everywhere(&TEXTS[..TEXTS.len() / 2]);
}

#[test]
fn another_text_that_is_a_script_is_shown_and_does_nothing() {
    look_everywhere(&TEXTS[TEXTS.len() / 2..]);
}

#[test]
fn a_script_in_the_address_or_in_a_form_is_shown_and_does_nothing() {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/") else { return };
    page.forget_policy();
    for text in TEXTS {
        let text = page.run("return encodeURIComponent(arguments[0])", &json!([text]));
        let all = |names: &[&str]| {
            let fields = names.iter().map(|name| format!("{name}={}", text.as_str().unwrap()));
            fields.collect::<Vec<_>>().join("&")
        };
        // What may be any text, and what may not.
        for names in [&["tag", "kind"][..], &["id", "state", "queue", "batch", "cursor", "trail"]] {
            look(&page, &format!("/jobs?{}", all(names)), &[]);
        }
        look(&page, &format!("/submit?{}", all(&["kind", "as", "from"])), &[]);
        look(&page, &format!("/demo?{}", all(&["model", "provider"])), &[]);
    }
    page.assert_clean_but_for(&["status of 400"]);
}

#[test]
fn a_script_that_is_typed_into_a_form_comes_back_with_it_and_does_nothing() {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/") else { return };
    page.forget_policy();
    for texts in TEXTS.chunks(6) {
        page.goto("/submit?kind=http");
        let fields = ["url", "headers", "body", "queue", "delay", "idempotency_key"];
        let texts: Vec<String> = texts.iter().map(|text| short(text, 1_000)).collect();
        for (field, text) in fields.iter().zip(&texts) {
            page.fill(&format!("#{field}"), text);
        }
        page.press("Submit");
        page.wait_for("the fault is told", "document.querySelector('[aria-invalid=true]')");
        let texts: Vec<(&str, usize)> = texts.iter().map(|text| (text.as_str(), 1)).collect();
        look_at_it(&page, &texts);
    }
    page.assert_clean_but_for(&["status of 422"]);
}

#[test]
fn a_script_that_comes_while_the_page_is_open_is_shown_and_does_nothing() {
    let server = Server::start();
    let job = json!({"kind": "show", "lane": "remote", "payload": 1, "max_attempts": 3});
    let id = server.submit(&job);
    let Some(page) = Page::open(&server, &format!("/jobs/{id}")) else { return };
    page.forget_policy();
    page.goto(&format!("/jobs/{id}"));
    for texts in TEXTS.chunks(TEXTS.len() / 2) {
        let all = texts.join(" ");
        let leased =
            server.post("/v1/leases", &json!({"worker": "ann"})).expect(200)["jobs"][0].clone();
        let told = json!({"lease_token": leased["lease_token"], "retry_in": "0s",
            "error": {"code": "shown", "message": all}});
        server.post(&format!("/v1/leases/{id}/fail"), &told).expect(200);
        page.until("the page has it", || {
            let shown = page.run(SHOWN, &json!([]));
            shown.as_str().unwrap().contains(&all).then_some(())
        });
        look_at_it(&page, &[(&all, 1)]);
    }
    page.assert_clean();
}
