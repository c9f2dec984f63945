//! `cargo tropos export`: an application of `ssg` routes as plain files, for any static host.
//!
//! | module | holds |
//! |---|---|
//! | [`layout`] | which address becomes which file |
//! | [`links`] | what pages refer to, and whether it is there |
//! | [`headers`] | the file `_headers`, for hosts that read it |

mod headers;
mod layout;
mod links;

use crate::{
    Error, args,
    build::{
        self, Built,
        output::{Kind, Output},
        report,
    },
    cargo,
    interrupt::{self, Unfinished},
    table::Route,
    terminal::{self, Look, Terminal},
};
use layout::Files;
use serde::Serialize;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};
use tropos_core::{build::Exported, manifest::ASSETS_PATH};

pub(crate) use links::Broken;

/// Tells an exported folder from any other, so that an export replaces its own kind alone.
const EXPORT: Kind = Kind { marker: ".tropos-export", option: "--to" };

/// A route that no static host can serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LeftOut {
    pattern: String,
    mode: String,
    why: &'static str,
}

/// What was written.
struct Summary {
    pages: usize,
    redirects: usize,
    files: usize,
}

/// Builds, and writes the files.
///
/// # Errors
/// Where the build fails, a route is not `ssg`, or a link leads nowhere; the folder is then as it was.
pub(crate) fn run(options: &args::Export, terminal: &mut Terminal) -> Result<ExitCode, Error> {
    let result = export(options, terminal);
    if let (true, Err(error)) = (options.build.json, &result) {
        terminal::print(&format!("{}\n", report::failed(error)));
    }
    result
}

fn export(options: &args::Export, terminal: &Terminal) -> Result<ExitCode, Error> {
    let json = options.build.json;
    let built = build::make(&options.build, terminal)?;
    let to = match &options.to {
        Some(to) => std::path::absolute(to).map_err(Error::file("resolving", to))?,
        None => built.project.directory.join("export"),
    };
    let left_out: Vec<_> = built.routes.iter().filter_map(LeftOut::of).collect();
    if !left_out.is_empty() && !json {
        terminal::print(&list(&left_out, terminal.color_out));
    }
    if !left_out.is_empty() && !options.partial {
        return Err(Error::NotStatic(left_out));
    }
    let output = Output::beside(&to, EXPORT)?;
    let (summary, broken) = write(&built, output.path(), options.partial, terminal)?;
    if !broken.is_empty() {
        // Where routes are left out, links to them are what was asked for.
        broken.iter().for_each(|broken| terminal.note(broken));
        if !options.partial {
            return Err(Error::BrokenLinks(broken));
        }
    }
    output.publish()?;
    match json {
        true => terminal::print(&format!("{}\n", as_json(&to, &summary, &left_out, &broken))),
        false => terminal::print(&format!(
            "\n  {}, {}, {} in {}\n",
            crate::table::plural(summary.pages as u64, "page"),
            crate::table::plural(summary.redirects as u64, "redirect"),
            crate::table::plural(summary.files as u64, "file"),
            to.display()
        )),
    }
    Ok(ExitCode::SUCCESS)
}

impl LeftOut {
    fn of(route: &Route) -> Option<Self> {
        let why = match route.mode.as_str() {
            "ssg" => return None,
            "isr" => "its pages are made again when they are old or invalidated, and plain files never are",
            "live" => "it pushes changes into the open page, and a static host has nothing to push",
            _ => "it is made for each request, and a static host answers all alike",
        };
        Some(Self { pattern: route.pattern.clone(), mode: route.mode.clone(), why })
    }
}

fn list(left_out: &[LeftOut], color: bool) -> String {
    let rows: Vec<_> = left_out
        .iter()
        .map(|left| {
            vec![
                (left.pattern.clone(), Look::Bold),
                (left.mode.clone(), Look::Yellow),
                (left.why.to_owned(), Look::Plain),
            ]
        })
        .collect();
    format!("\n{}", crate::table::plain(&["route", "mode", "why it is left out"], &rows, color))
}

fn as_json(to: &Path, summary: &Summary, left_out: &[LeftOut], broken: &[Broken]) -> Value {
    json!({
        "ok": true,
        "to": to,
        "pages": summary.pages,
        "redirects": summary.redirects,
        "files": summary.files,
        "left_out": left_out,
        "broken_links": broken,
    })
}

/// Writes everything into the folder, and checks the links.
fn write(
    built: &Built,
    folder: &Path,
    partial: bool,
    terminal: &Terminal,
) -> Result<(Summary, Vec<Broken>), Error> {
    let scratch = tempfile::tempdir_in(&built.project.target)
        .map_err(Error::file("making a folder in", &built.project.target))?;
    let _unfinished = Unfinished::new(scratch.path());
    let mut exported = ask(built, scratch.path())?;
    let hooked = take_hooked(&mut exported);
    match hooked.is_empty() {
        true => {}
        false if partial => hooked.iter().for_each(|path| {
            terminal.note(format_args!("{path} is left out, since hooks stand in front of it"));
        }),
        false => return Err(Error::Hooked(hooked)),
    }
    let read = |file: &str| {
        let path = scratch.path().join(file);
        fs::read(&path).map_err(Error::file("reading", path))
    };
    let mut files = Files::default();
    let (mut pages, mut addresses, mut redirects) = (Vec::new(), Vec::new(), 0);
    for page in &exported.pages {
        let location = page.header("location").filter(|_| (300..400).contains(&page.status));
        let (file, body) = match location {
            Some(location) => {
                redirects += 1;
                (layout::file_of(&page.path, None)?, layout::redirect(location).into_bytes())
            }
            None => (layout::file_of(&page.path, page.header("content-type"))?, read(&page.file)?),
        };
        addresses.push(layout::address_of(&file));
        if file.ends_with(".html") {
            pages.push((layout::address_of(&file), String::from_utf8_lossy(&body).into_owned()));
        }
        files.add(file, body)?;
    }
    let not_found = read(&exported.not_found)?;
    // Hosts show it at any depth, so it is checked as if it lay at the root, where its links with `/` work as well.
    pages.push(("/404.html".to_owned(), String::from_utf8_lossy(&not_found).into_owned()));
    files.add("404.html".to_owned(), not_found)?;
    let headers = headers::file(addresses.iter().map(String::as_str).zip(&exported.pages));
    files.add("_headers".to_owned(), headers.into_bytes())?;
    let assets = ASSETS_PATH.trim_start_matches('/');
    for script in &exported.scripts {
        let name = script.rsplit('/').next().unwrap_or(script);
        files.add(format!("{assets}/{name}"), read(script)?)?;
    }
    let public = built.project.out.join("public");
    for asset in built.manifest.assets.values() {
        let path = public.join(&asset.file);
        files.add(
            format!("{assets}/{}", asset.file),
            fs::read(&path).map_err(Error::file("reading", path))?,
        )?;
    }
    for name in built.manifest.assets.keys().filter(|name| build::at_root(name)) {
        let path = public.join("root").join(name);
        files.add(name.clone(), fs::read(&path).map_err(Error::file("reading", path))?)?;
    }
    let broken = links::broken(&pages, &files);
    let summary = Summary { pages: exported.pages.len() - redirects, redirects, files: files.len() };
    files.write(folder)?;
    let marker = folder.join(EXPORT.marker);
    fs::write(&marker, format!("{}\n", built.manifest.build_id)).map_err(Error::file("writing", marker))?;
    Ok((summary, broken))
}

/// Takes out the pages that hooks stand in front of: as plain files, they would be there for everybody.
fn take_hooked(exported: &mut Exported) -> Vec<String> {
    let hooked = exported.pages.iter().filter(|page| page.hooked).map(|page| page.path.clone()).collect();
    exported.pages.retain(|page| !page.hooked);
    hooked
}

/// Has the application's program hand out its pages, which only it can read.
fn ask(built: &Built, folder: &Path) -> Result<Exported, Error> {
    let mut command = Command::new(built.project.server());
    command.args([PathBuf::from("export"), "--out".into(), folder.to_owned()]);
    command.current_dir(&built.project.directory).stdin(Stdio::null()).stderr(Stdio::inherit());
    let shown = cargo::shown(&command);
    let output =
        interrupt::output(&mut command).map_err(|source| Error::Run { command: shown.clone(), source })?;
    if !output.status.success() {
        return Err(Error::Failed { command: shown, status: output.status.to_string() });
    }
    let what = || format!("what `{} export` printed", built.project.name);
    serde_json::from_slice(&output.stdout).map_err(|source| Error::Json { what: what(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tropos_core::build::ExportedPage;

    #[test]
    fn pages_behind_hooks_are_never_among_those_that_are_written() {
        let page = |path: &str, hooked| ExportedPage {
            path: path.into(),
            status: 200,
            headers: Vec::new(),
            file: String::new(),
            hooked,
        };
        let mut exported =
            Exported { pages: vec![page("/a", false), page("/members", true)], ..Exported::default() };
        assert_eq!(take_hooked(&mut exported), ["/members"]);
        assert_eq!(exported.pages, [page("/a", false)]);
        let error = Error::Hooked(vec!["/members".into()]).to_string();
        assert!(error.contains("in front of 1 page, ") && error.contains("guard: /members."), "{error}");
    }

    #[test]
    fn every_mode_but_ssg_is_left_out_with_its_reason() {
        let route = |mode: &str| -> Route {
            serde_json::from_value(json!({ "name": "A", "pattern": "/a", "mode": mode })).unwrap()
        };
        assert_eq!(LeftOut::of(&route("ssg")), None);
        for (mode, why) in [("isr", "made again"), ("live", "pushes"), ("server", "each request")] {
            assert!(LeftOut::of(&route(mode)).unwrap().why.contains(why), "{mode}");
        }
    }
}
