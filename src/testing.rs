//! Tools for the tests of an application that embeds the server.
//!
//! Add the feature `testing` to the dev-dependency:
//!
//! ```toml
//! [dev-dependencies]
//! longshore = { version = "0.2", features = ["testing"] }
//! ```
//!
//! - [`TestAttempt`] runs one handler without a server: payload in, outcome out.
//! - [`TestServer`] is a real server on a temporary file. Its clock stands still until the test moves
//!   it, so a test of a delay or of a retry does not wait.
//!
//! ```
//! use std::time::Duration;
//!
//! use longshore::executor::{Context, HandlerError};
//! use longshore::job::{Span, State, Submission};
//! use longshore::testing::{TestAttempt, TestServer};
//!
//! async fn greet(_: Context, name: String) -> Result<String, HandlerError> {
//!     match name.as_str() {
//!         "" => Err(HandlerError::fatal("there is nobody to greet").code("nobody")),
//!         name => Ok(format!("Hello {name}")),
//!     }
//! }
//!
//! # #[actix_web::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The handler alone.
//! let ended = TestAttempt::new().run(greet, "").await;
//! assert_eq!(ended.error_code(), Some("nobody"));
//!
//! // The handler in a server, an hour later.
//! let server = TestServer::start(|builder| builder.handler("greet", greet))?;
//! let hour = Some(Span::from_secs(3600));
//! let later = Submission { delay: hour, ..Submission::new("greet", "world")? };
//! let job = server.handle().submit(later).await?;
//! server.run_until_idle().await?;
//! assert_eq!(server.handle().job(job.id).await?.state, State::Scheduled);
//! server.advance(Duration::from_secs(3600)).await?;
//! server.run_until_idle().await?;
//! assert_eq!(server.handle().job(job.id).await?.state, State::Completed);
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod attempt;
mod server;

pub use attempt::{EndedAttempt, TestAttempt};
pub use server::{IDLE_TIMEOUT, TestError, TestServer};
