//! [`Within`]: which connection of a client something was in, and which program made it.

use crate::event::Process;
use crate::fields::Fields;

/// Which connection of a client something was in, and which program made it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Within<'a> {
    /// Its number: no other connection of this writer has it.
    pub connection: Option<u64>,
    /// The program, or why it is not known; none where programs are not looked for.
    pub process: Option<&'a Process>,
}

impl<'a> Within<'a> {
    /// A connection of which no program is looked for.
    pub fn connection(number: u64) -> Self {
        Self {
            connection: Some(number),
            process: None,
        }
    }

    /// The same with the program that made it.
    #[must_use]
    pub fn by(mut self, process: Option<&'a Process>) -> Self {
        self.process = process;
        self
    }

    pub(crate) fn write(&self, line: &mut Fields<'_>) {
        if let Some(number) = self.connection {
            line.number("connection", number);
        }
        if let Some(process) = self.process {
            process.write(line);
        }
    }
}

impl Process {
    /// A program that is not known, and why.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self {
            unknown: Some(why.into()),
            ..Self::default()
        }
    }

    fn write(&self, line: &mut Fields<'_>) {
        line.object("process", |process| {
            process.maybe("executable", self.executable.as_deref());
            process.maybe("sha256", self.sha256.as_deref());
            if let Some(pid) = self.pid {
                process.number("pid", pid);
            }
            if !self.ancestors.is_empty() {
                process.texts("ancestors", &self.ancestors);
            }
            process.maybe("unknown", self.unknown.as_deref());
        });
    }
}
