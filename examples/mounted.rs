//! The API and the pages inside an application's own actix-web server.
//!
//! It starts the server on a free port, calls it like a browser and like a program, and stops. Run it
//! with `cargo run --example mounted`.

#![allow(clippy::print_stdout, reason = "the example prints the answers")]

use std::error::Error;

use actix_web::{App, HttpServer, Responder, web};
use longshore::config::Config;
use longshore::executor::{Context, HandlerError};
use longshore::job::Submission;
use longshore::server::{Handle, Server};
use longshore::{http, pages};

/// Runs a `greet` job.
async fn greet(_: Context, name: String) -> Result<String, HandlerError> {
    Ok(format!("Hello {name}"))
}

/// A route of the application, which submits a job and returns its id.
async fn welcome(name: web::Path<String>, jobs: web::Data<Handle>) -> impl Responder {
    let submission = Submission::new("greet", name.as_str())?;
    let job = jobs.submit(submission).await.map_err(actix_web::error::ErrorInternalServerError)?;
    Ok::<_, actix_web::Error>(format!("job {} greets {name}", job.id))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let config = Config { database: directory.path().join("jobs.db").into(), ..Config::default() };
    let server = Server::builder(config).handler("greet", greet).start()?;
    let (handle, jobs) = (server.handle(), server.handle());
    let app = move || {
        App::new()
            // The application's own routes first: the jobs take all other paths.
            .app_data(web::Data::new(handle.clone()))
            .route("/welcome/{name}", web::get().to(welcome))
            .service(http::scope(handle.clone(), pages::routes))
    };
    let web_server = HttpServer::new(app)
        .workers(1)
        // A request that waits for a job ends when its client closes the connection.
        .h1_allow_half_closed(false)
        .disable_signals()
        .bind(("127.0.0.1", 0))?;
    // No job calls this web server.
    for address in web_server.addrs() {
        jobs.add_own_address(address);
    }
    let base =
        web_server.addrs().first().map(|addr| format!("http://{addr}")).ok_or("no address")?;
    let web_server = web_server.run();
    let stop = web_server.handle();
    actix_web::rt::spawn(web_server);

    let answers = call(&base).await;

    // Waiting requests end first, then the web server, then the jobs.
    server.drain().await;
    server.release_waiting_requests();
    stop.stop(true).await;
    server.stop();
    answers
}

/// Calls the routes of the application, of the API and of the pages.
async fn call(base: &str) -> Result<(), Box<dyn Error>> {
    let client = awc::Client::default();
    let mut answer = client.get(format!("{base}/welcome/Ann")).send().await?;
    println!("{}", String::from_utf8_lossy(&answer.body().await?));

    let mut answer = client.get(format!("{base}/v1/jobs/1/log")).send().await?;
    println!("the API: {} {}", answer.status().as_u16(), answer.body().await?.len() > 1);

    let page = client.get(format!("{base}/jobs")).insert_header(("Accept", "text/html"));
    let mut answer = page.send().await?;
    let is_page = String::from_utf8_lossy(&answer.body().await?).contains("</html>");
    println!("the pages: {} {is_page}", answer.status().as_u16());

    // A browser names the site of the page that sends a request.
    let foreign =
        client.get(format!("{base}/v1/jobs")).insert_header(("Sec-Fetch-Site", "cross-site"));
    println!("a page of another site: {}", foreign.send().await?.status().as_u16());
    Ok(())
}
