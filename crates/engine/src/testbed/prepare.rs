//! The commands of `prepare`, run once before anything of the system: building it, mostly.

use crate::plan::system::PlannedPrepare;
use crate::testbed::Testbed;
use crate::testbed::state::chain;
use crate::testbed::told::{BedError, about, with_lines};
use seam_diag::Diagnostic;
use seam_event::ComponentId;
use seam_launch::{Spawn, find_program};

impl Testbed {
    /// Runs all commands in order; the first that fails is told with its last lines.
    pub(crate) async fn prepare(&self) -> Result<(), BedError> {
        for (index, command) in self.system().prepare.iter().enumerate() {
            self.run_prepare(index, command).await.map_err(|told| BedError::Unready(vec![told]))?;
        }
        Ok(())
    }

    async fn run_prepare(&self, index: usize, prepare: &PlannedPrepare) -> Result<(), Diagnostic> {
        let words: Vec<String> = prepare.command.words.iter().map(|word| word.value.clone()).collect();
        let text = words.join(" ");
        (self.ground.progress)(format!("prepare: {text}"));
        // What builds a system needs what its builder has: the whole environment, unlike components.
        let env: Vec<(String, String)> = std::env::vars().collect();
        let path = std::env::var("PATH").unwrap_or_default();
        let problem = |title: String| about(title, prepare.span);
        let program = find_program(&words[0], self.root(), &path).map_err(|error| problem(chain(&error)))?;
        let name = format!("prepare-{}", index + 1);
        let spawn = Spawn {
            arguments: words[1..].to_vec(),
            env,
            ..Spawn::new(ComponentId::from(name.as_str()), program, self.root())
        };
        let running = self.watcher().spawn(spawn).await.map_err(|error| problem(chain(&error)))?;
        let Ok(death) = tokio::time::timeout(prepare.within, running.died()).await else {
            let _ = running.kill().await;
            return Err(problem(format!("`{text}` did not end within {:?}", prepare.within)));
        };
        let death = death.map_err(|error| problem(chain(&error)))?;
        if death.exit.is_success() {
            return Ok(());
        }
        let told = problem(format!("`{text}` {}", death.exit));
        Err(with_lines(told, &name, death.lines.iter().map(|line| line.text.as_str())))
    }
}
