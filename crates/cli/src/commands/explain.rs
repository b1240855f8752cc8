//! `seam explain [NAME]`: what any word of the files is and takes.

use crate::commands::{Act, command};
use crate::explained::{lists, meanings, names};
use crate::reference::reference;
use crate::screen::{Colour, Screen};
use crate::vocabulary::groups;
use clap::Args;
use seam_diag::Diagnostic;
use seam_judge::Exit;

/// Explain a step, a matcher, a service, a field … or list everything there is
#[derive(Args)]
#[command(after_help = "\
Examples:
  seam explain                  everything there is, by group
  seam explain http             a step: its inputs, its results, an example
  seam explain in_any_order     a matcher
  seam explain postgres         a service
  seam explain http.follow      one field of a step
  seam explain within           a field, wherever it stands
  seam explain --markdown       all of it as one page")]
pub(crate) struct Explain {
    /// The word; without one, all words are listed
    #[arg(value_name = "NAME")]
    name: Vec<String>,
    /// Write the whole reference as Markdown
    #[arg(long, conflicts_with = "name")]
    markdown: bool,
}

impl Act for Explain {
    fn act(self, screen: &mut Screen) -> Exit {
        let groups = groups();
        if self.markdown {
            screen.say(&reference(&groups, command(Colour::Never)));
            return Exit::Passed;
        }
        let name = self.name.join(".");
        let ink = screen.ink();
        if name.is_empty() {
            let lists = lists(&groups, ink, screen.look().width);
            screen.say(&format!("{lists}`seam explain NAME` says more about one of them.\n"));
            return Exit::Passed;
        }
        let mut found = meanings(&groups, &name, ink);
        let mut seam = command(Colour::Never);
        if let Some(command) = seam.find_subcommand_mut(&name) {
            found.push(format!("{} (command): {}", ink.bold(&name), command.render_help()));
        }
        if !found.is_empty() {
            screen.say(&found.join("\n"));
            return Exit::Passed;
        }
        let commands = seam.get_subcommands().map(clap::Command::get_name);
        let known: Vec<&str> = names(&groups).into_iter().chain(commands).collect();
        let unknown = Diagnostic::error(format!("there is no word `{name}`")).suggest(&name, known);
        let lists_all = unknown.hint.is_none().then_some("`seam explain` lists all words");
        screen.diagnostic(&lists_all.into_iter().fold(unknown, Diagnostic::hint));
        Exit::CouldNotRun
    }
}
