//! What the terminal can show: how wide it is, and whether a word can lead somewhere.

use std::io::IsTerminal;

use super::Context;
use crate::plan::wrap::COLUMNS;

/// Nobody reads on fewer.
const NARROWEST: usize = 20;

impl Context {
    /// How many columns stdout has: what `COLUMNS` says, else the terminal, else what everybody has.
    pub(crate) fn columns(&self) -> usize {
        let terminal = || terminal_size::terminal_size_of(std::io::stdout());
        let terminal = || terminal().map(|(width, _)| usize::from(width.0));
        let columns = self.said_columns().or_else(terminal);
        columns.unwrap_or(COLUMNS).max(NARROWEST)
    }

    /// As [`Context::columns`] of stderr; nothing where it is no terminal, and lines may be as long as they are.
    pub(crate) fn columns_of_stderr(&self) -> Option<usize> {
        let (terminal, _) = terminal_size::terminal_size_of(std::io::stderr())?;
        let columns = self.said_columns();
        Some(columns.unwrap_or(usize::from(terminal.0)).max(NARROWEST))
    }

    /// How many lines stdout has, where it is a terminal that can be drawn on.
    pub(crate) fn rows(&self) -> Option<usize> {
        if !self.is_screen() {
            return None;
        }
        let (_, height) = terminal_size::terminal_size_of(std::io::stdout())?;
        Some(usize::from(height.0))
    }

    /// stdout is a terminal that can be drawn on.
    pub(crate) fn is_screen(&self) -> bool {
        std::io::stdout().is_terminal() && !self.is_plain()
    }

    /// Words on stdout may lead somewhere.
    pub(crate) fn has_links(&self) -> bool {
        self.is_screen() && supports_hyperlinks::supports_hyperlinks()
    }

    fn said_columns(&self) -> Option<usize> {
        let said = self.global.columns.as_deref()?;
        said.trim().parse().ok().filter(|columns| *columns > 0)
    }
}
