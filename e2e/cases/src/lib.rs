//! Drives the fixture application through HTTP alone and holds it to the contract.
//!
//! Nothing here depends on a crate of the framework: the runner owns the data source that the fixture reads ([`upstream`]), a
//! client that can also misbehave ([`client`]), and a way to start, kill and restart the server ([`server`]). Each
//! case is an async function with a name that states a fact; [`cases`] has one file a section of the list of cases.

pub mod cases;
pub mod check;
pub mod client;
pub mod context;
pub mod events;
pub mod expect;
pub mod html;
pub mod instances;
pub mod load;
pub mod page;
pub mod prerender;
pub mod replicated;
pub mod run;
pub mod server;
pub mod upstream;
pub mod visitor;
pub mod wire;
