//! One round: compile what changed, bind the islands, start the new process. Dropped at any point, nothing is left of it.

use super::{
    bundle,
    compile::{self, Counted, Meter, Part, Warned, of_cargo},
    event::{Event, Problem, What},
    inputs::{self, Inputs},
    plan::Plan,
    process::{self, Ended, Process},
    proxy::Proxy,
};
use crate::{build::target::Target, project::Project, terminal};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

/// How often progress is told.
const TICK: Duration = Duration::from_millis(100);

/// Where progress is not drawn over itself, a line so often.
const LINE: Duration = Duration::from_secs(15);

/// What a round needs, shared by all of them.
pub(crate) struct Workshop {
    pub(crate) project: Project,
    /// `None` where no islands are built.
    pub(crate) wasm: Option<Target>,
    pub(crate) settings: process::Settings,
    /// The program that was compiled last, where cargo says that it is: a target triple of the configuration is a folder.
    pub(crate) program: Mutex<Option<PathBuf>>,
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) warned: Warned,
    pub(crate) counted: Counted,
    pub(crate) color: bool,
    pub(crate) ended: mpsc::Sender<Ended>,
}

impl Workshop {
    fn program(&self) -> MutexGuard<'_, Option<PathBuf>> {
        self.program.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a round came to.
pub(crate) struct Done {
    pub(crate) process: Process,
    /// What the parts that were compiled were made of.
    pub(crate) server: Option<Inputs>,
    pub(crate) islands: Option<Inputs>,
    /// Each phase, with the time it took.
    pub(crate) phases: Vec<(&'static str, Duration)>,
}

/// A failure, and what could be learned before it.
pub(crate) struct Failed {
    pub(crate) problems: Vec<Problem>,
    /// Whether everything compiled: then only the start is owed.
    pub(crate) compiled: bool,
    /// What the parts that were compiled were made of.
    pub(crate) server: Option<Inputs>,
    pub(crate) islands: Option<Inputs>,
}

impl Failed {
    /// Before anything was compiled.
    pub(crate) fn early(problems: Vec<Problem>) -> Self {
        Self { problems, compiled: false, server: None, islands: None }
    }
}

/// Does what a plan says.
///
/// # Errors
/// What is wrong with the application.
pub(crate) async fn run(workshop: &Workshop, plan: &Plan, version: u64) -> Result<Done, Failed> {
    let mut phases = Vec::new();
    let (mut server, mut islands) = (None, None);
    if plan.full {
        workshop.counted.forget();
    }
    if plan.migrations {
        touch_users_of_migrations(&workshop.project.directory);
    }
    let compiles_islands = plan.islands && workshop.wasm.is_some();
    if plan.server || compiles_islands {
        let what = match (plan.server, compiles_islands) {
            (true, true) => What::Both,
            (true, false) => What::Server,
            _ => What::Islands,
        };
        let meter = Meter::default();
        let compiling = async {
            tokio::try_join!(
                part(workshop, Part::Server, plan.server, &meter),
                part(workshop, Part::Islands, compiles_islands, &meter)
            )
        };
        let counting = async {
            if plan.server {
                compile::count(&workshop.project, Part::Server, &workshop.counted, &meter).await;
            }
            if compiles_islands {
                compile::count(&workshop.project, Part::Islands, &workshop.counted, &meter).await;
            }
            tell(&workshop.proxy, what, &meter).await
        };
        let result = tokio::select! {
            result = compiling => result,
            never = counting => never,
        };
        terminal::progress(None);
        let (one, other) = result.map_err(Failed::early)?;
        for (name, part) in [("server", one), ("islands", other)] {
            if let Some((files, span)) = part {
                phases.push((name, span));
                if name == "server" {
                    *workshop.program() = Some(files.0.clone());
                    server = Some(files);
                } else {
                    islands = Some(files);
                }
            }
        }
    }
    let module = islands.as_ref().map(|(module, _): &(PathBuf, Inputs)| module.clone());
    let server = server.map(|(_, inputs): (PathBuf, Inputs)| inputs);
    let islands = islands.map(|(_, inputs)| inputs);
    let failed = |problem: Problem, compiled: bool| Failed {
        problems: vec![problem],
        compiled,
        server: server.clone(),
        islands: islands.clone(),
    };
    if let Some(module) = module {
        let start = Instant::now();
        let folder = workshop.settings.folder.clone();
        let bound = tokio::task::spawn_blocking(move || bundle::make(&module, &folder)).await;
        let problem = |text: String| failed(of_cargo(&text), false);
        bound.map_err(|error| problem(error.to_string()))?.map_err(|error| problem(error.to_string()))?;
        phases.push(("binding", start.elapsed()));
    }
    let start = Instant::now();
    let program = workshop.program().clone();
    let program = program.ok_or_else(|| failed(of_cargo("the application was not compiled yet"), false))?;
    let process = process::start(&program, &workshop.settings, version, workshop.ended.clone())
        .await
        .map_err(|problem| failed(problem, true))?;
    phases.push(("start", start.elapsed()));
    Ok(Done { process, server, islands, phases })
}

/// A part's product with what it was made of, and the time.
type Compiled = Option<((PathBuf, Inputs), Duration)>;

async fn part(
    workshop: &Workshop,
    part: Part,
    wanted: bool,
    meter: &Meter,
) -> Result<Compiled, Vec<Problem>> {
    if !wanted {
        return Ok(None);
    }
    let project = &workshop.project;
    let start = Instant::now();
    let command = compile::command(project, part, |command| {
        workshop.wasm.iter().for_each(|target| target.apply(command));
    });
    let name = match part {
        Part::Server => &project.name,
        Part::Islands => &project.library,
    };
    let files = compile::run(command, name, meter, &workshop.warned, workshop.color).await?;
    let binary = project.binary();
    let product = compile::product(files, |file| match part {
        Part::Server => file.file_name().is_some_and(|name| name == binary.as_str()),
        Part::Islands => file.extension().is_some_and(|ending| ending == "wasm"),
    })?;
    // Without it, every change of a source counts for this part.
    let inputs = inputs::read(&product).unwrap_or_default();
    Ok(Some(((product, inputs), start.elapsed())))
}

/// Tells the browser and the terminal how far it is, for as long as it is polled.
async fn tell<T>(proxy: &Proxy, what: What, meter: &Meter) -> T {
    let (mut told, mut line) = (None, Instant::now());
    let start = Instant::now();
    loop {
        let (done, total) = meter.read();
        if told != Some((done, total)) {
            proxy.hub.send(Event::Building { what, done, total });
            told = Some((done, total));
        }
        let text = format!(
            "{:>12} {done} of {total} packages · {}",
            "compiling",
            terminal::seconds(start.elapsed())
        );
        terminal::progress(Some(&text));
        if line.elapsed() >= LINE && !terminal::draws() {
            terminal::say(&text);
            line = Instant::now();
        }
        tokio::time::sleep(TICK).await;
    }
}

/// `migrate!` includes the files that there were; that one was added it cannot tell the compiler. So the sources that say
/// it are given a new time, and nothing else of them changes.
fn touch_users_of_migrations(directory: &Path) {
    let mut folders = vec![directory.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs")
                && std::fs::read_to_string(&path).is_ok_and(|text| text.contains("migrate!"))
                && let Ok(file) = std::fs::File::options().append(true).open(&path)
            {
                #[expect(clippy::disallowed_methods, reason = "a file's time is the machine's own")]
                let _ = file.set_modified(std::time::SystemTime::now());
            }
        }
    }
}
