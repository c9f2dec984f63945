//! The test kit of Tropos: an application in the process, with a clock that the test turns.
//!
//! ```
//! use leptos::prelude::*;
//! use tropos_server::App;
//! use tropos_testing::TestApp;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let app = App::new().not_found(|| view! { <h1>"Nothing here"</h1> });
//! let site = TestApp::new(app).await;
//! let answer = site.get("/missing").await;
//! assert_eq!(answer.status, 404);
//! assert!(answer.text().contains("Nothing here"));
//! # }
//! ```

mod answer;
mod app;
mod otlp;

pub use answer::Answer;
pub use app::TestApp;
pub use otlp::{Captured, OtlpCapture, Received, Reply};
