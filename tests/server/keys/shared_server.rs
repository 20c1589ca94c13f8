//! The commands of docs/SECURITY.md by which several applications share a server.

use std::process::Command;

use serde_json::{Value, json};

use super::{Key, call};
use crate::kit::{Server, is_installed, skip};

/// Returns the commands of the section, with the URL of this server.
fn commands(server: &Server) -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/SECURITY.md");
    let page = std::fs::read_to_string(path).unwrap();
    let section = page.split("## Several applications on one server").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```bash\n").skip(1);
    let blocks = blocks.map(|part| part.split("```").next().unwrap());
    blocks.map(|block| block.replace("http://127.0.0.1:7373", &server.url())).collect()
}

/// Runs commands in the directory of the keys, and returns what they print.
fn run(server: &Server, commands: &str) -> String {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_longshore")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-ec", commands])
        .current_dir(server.directory())
        .env("PATH", path)
        .env("LONGSHORE_URL", server.url())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{commands}\n{printed}\n{errors}");
    printed
}

#[test]
fn two_applications_share_a_server_with_the_commands_of_the_page() {
    if let Some(missing) = ["bash", "curl"].into_iter().find(|program| !is_installed(program)) {
        return skip(&format!("{missing} is not installed"));
    }
    let server = Server::start();
    let commands = commands(&server);
    let [create, submit, lease] = commands.as_slice() else { panic!("{commands:?}") };
    run(&server, create);
    run(&server, submit);
    let leased: Value = serde_json::from_str(&run(&server, lease)).unwrap();
    let jobs = leased["jobs"].as_array().unwrap();
    assert_eq!((jobs.len(), &jobs[0]["queue"]), (1, &json!("shop.mail")), "{leased}");
    let key = |name: &str| {
        let path = server.directory().join(format!("{name}.key"));
        Key { id: 0, secret: std::fs::read_to_string(path).unwrap().trim().to_owned() }
    };
    let (ops, shop, blog) = (key("ops"), key("shop"), key("blog"));
    let get = |key: &Key, path: &str| call(&server, key, "GET", path, None);
    let [in_shop, in_blog] = [1, 2].map(|id| format!("/v1/jobs/{id}"));
    assert_eq!(get(&ops, &in_blog).expect(200)["queue"], "blog.mail");
    assert_eq!(get(&ops, &in_blog).expect(200)["state"], "queued");
    get(&shop, &in_shop).expect(200);
    get(&shop, &in_blog).problem(404);
    get(&blog, &in_shop).problem(404);
    // The pages, and what the text says.
    let page = get(&shop, "/jobs");
    let page = String::from_utf8_lossy(&page.body).into_owned();
    assert!(page.contains("shop.mail") && !page.contains("blog.mail"), "{page}");
    let without_queue = json!({"kind": "mail", "lane": "remote"});
    call(&server, &shop, "POST", "/v1/jobs", Some(&without_queue)).problem(403);
    // From now on the kind is known in the queues of the shop.
    let known = json!({"kind": "mail", "queue": "shop.other"});
    call(&server, &shop, "POST", "/v1/jobs", Some(&known)).expect(202);
    let unknown = json!({"kind": "mail", "queue": "blog.mail"});
    call(&server, &blog, "POST", "/v1/jobs", Some(&unknown)).problem(422);
}
