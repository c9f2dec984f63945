//! Prints the patches of an edit as the dev server sends them: `cargo run -p tropos-dev --example patch PATH OLD NEW`,
//! where OLD and NEW are files and PATH is what the compiler calls the first. `null` for code.

use std::{error::Error, fs};
use tropos_dev::views::{Change, Sources};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, old, new] = arguments.as_slice() else { return Err("three arguments: PATH OLD NEW".into()) };
    let mut sources = Sources::new();
    sources.load(path, &fs::read_to_string(old)?);
    let patches = match sources.change(path, &fs::read_to_string(new)?) {
        Change::None => Some(Vec::new()),
        Change::Patch(patches) => Some(patches),
        _ => None,
    };
    println!("{}", serde_json::to_string(&patches)?);
    Ok(())
}
