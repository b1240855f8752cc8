//! Runs programs and says what they spent, and reads what `seam` has kept of a run.

use crate::ground::Ground;
use crate::machine::{cpu_of_ended_children, resident_of_tree};
use rustix::process::{Pid, Signal, kill_process};
use seam_event::{ComponentState, What};
use seam_history::{History, Reader, find};
use seam_services::Places;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// What a program spent, with all that it had started.
pub(crate) struct Spent {
    /// From its start to its end.
    pub(crate) wall: Duration,
    /// On all cores together.
    pub(crate) cpu: Duration,
    /// The most memory that was resident at once, in MiB; looked at every few milliseconds.
    pub(crate) peak: f64,
}

/// What a run of `seam` spent and what came of it.
pub(crate) struct Ran {
    /// What it spent.
    pub(crate) spent: Spent,
    /// What it kept.
    pub(crate) history: History,
}

/// Runs a program to its end; an exit code other than zero is an error with what it said.
pub(crate) fn spend(mut command: Command, folder: &Path) -> Result<Spent, String> {
    const LOOK: Duration = Duration::from_millis(8);
    let said = folder.join("said.txt");
    let file = std::fs::File::create(&said).map_err(|error| error.to_string())?;
    let errors = file.try_clone().map_err(|error| error.to_string())?;
    command.stdin(Stdio::null()).stdout(file).stderr(errors);
    let before = cpu_of_ended_children();
    let began = Instant::now();
    let mut child = command.spawn().map_err(|error| format!("cannot run {command:?}: {error}"))?;
    let mut peak = 0.0_f64;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            break status;
        }
        if began.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("{command:?} took longer than {PATIENCE:?}"));
        }
        peak = peak.max(resident_of_tree(child.id()));
        std::thread::sleep(LOOK);
    };
    let spent = Spent { wall: began.elapsed(), cpu: cpu_of_ended_children().saturating_sub(before), peak };
    if status.success() {
        return Ok(spent);
    }
    let text = std::fs::read_to_string(&said).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(3).collect();
    Err(format!("it ended with {status}: {}", lines.join(" / ")))
}

/// The command `seam run` for a project, with a cache folder of its own.
pub(crate) fn seam_run(ground: &Ground, project: &Path, cache: &Path) -> Result<Ran, String> {
    let mut command = Command::new(&ground.seam);
    command.arg("run").arg(project).env("SEAM_CACHE", cache).env("SEAM_OFFLINE", "1");
    let spent = spend(command, &ground.fresh_folder("said"))?;
    let folder = find(project, "latest").map_err(|error| error.to_string())?;
    let stored = Reader::open(&folder).and_then(Reader::read).map_err(|error| error.to_string())?;
    Ok(Ran { spent, history: stored.history })
}

/// How long a component took from its start until it answered.
pub(crate) fn time_to_ready(history: &History, name: &str) -> Option<Duration> {
    let at = |wanted: ComponentState| {
        history.events.iter().find_map(|event| match &event.what {
            What::Component { component, state, .. } if component.as_str() == name && *state == wanted => {
                Some(event.at)
            }
            _ => None,
        })
    };
    Some(at(ComponentState::Ready)?.saturating_sub(at(ComponentState::Starting)?))
}

/// Writes a project with one file of tests.
pub(crate) fn write_project(folder: &Path, system: &str, tests: &str) -> Result<(), String> {
    let write = || {
        std::fs::create_dir_all(folder.join("tests"))?;
        std::fs::write(folder.join("seam.yaml"), system)?;
        std::fs::write(folder.join("tests/bench.seam.yaml"), tests)
    };
    write().map_err(|error| format!("cannot write {}: {error}", folder.display()))
}

/// A system that `seam up` keeps up; dropping it takes it down.
pub(crate) struct Up {
    child: Child,
    project: PathBuf,
    cache: PathBuf,
}

impl Up {
    /// Raises a system.
    pub(crate) fn raise(ground: &Ground, system: &str) -> Result<Self, String> {
        let (project, cache) = (ground.fresh_folder("up"), ground.fresh_folder("up-cache"));
        write_project(&project, system, "tests: []\n")?;
        let mut command = Command::new(&ground.seam);
        command.arg("up").arg(&project).env("SEAM_CACHE", &cache).env("SEAM_OFFLINE", "1");
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = piped.spawn().map_err(|error| format!("cannot run {command:?}: {error}"))?;
        let output = child.stdout.take();
        let up = Self { child, project, cache };
        let mut lines = BufReader::new(output.ok_or("`seam up` has no output")?).lines();
        while let Some(line) = lines.next().transpose().map_err(|error| error.to_string())? {
            if line.contains("takes it down") {
                // Whatever else it says must have somewhere to go.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(up);
            }
        }
        Err("`seam up` ended before the system was up".to_owned())
    }

    /// The path of a service's socket.
    pub(crate) fn socket(&self, component: &str, file: &str) -> Option<PathBuf> {
        let run = find(&self.project, "latest").ok()?;
        let path = Places::at(&self.cache).sockets.join(run.id.as_str()).join(component).join(file);
        path.exists().then_some(path)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if let Some(id) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(id, Signal::INT);
        }
        let _ = self.child.wait();
    }
}
