//! The hooks, which run in the server and in a Worker: nothing of the server is named here. Each has paths of its own, so that
//! a case shows one.

mod matching;
mod own;
mod shown;
mod site;
mod values;
mod visitors;

pub use values::*;

use tropos::edge::Hooks;

/// All hooks, in the order that the guide recommends.
pub fn hooks() -> Hooks {
    let hooks = own::hooks(matching::hooks(site::hooks(Hooks::new())));
    shown::hooks(visitors::hooks(hooks)).open(["look", "whoami"])
}
