//! Exit codes, and how a failure is told.
//!
//! 0 done · 1 the job failed · 2 wrong usage or configuration · 3 Kafka could not be reached · 4 graded worse than asked for
//! · 130 stopped by force.

use crate::config::ConfigError;
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

/// Why the program ends before its job is done.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

/// The code of wrong usage, for what clap itself refuses.
pub(crate) fn usage_code() -> ExitCode {
    ExitCode::from(2)
}

impl Failure {
    /// The job failed.
    pub(crate) fn job(message: impl Display) -> Failure {
        Failure { code: 1, message: message.to_string() }
    }

    /// Wrong usage or configuration.
    pub(crate) fn usage(message: impl Display) -> Failure {
        Failure { code: 2, message: message.to_string() }
    }

    /// Kafka could not be reached.
    pub(crate) fn unreachable(message: impl Display) -> Failure {
        Failure { code: 3, message: message.to_string() }
    }

    /// A grade is worse than what was asked for.
    pub(crate) fn grade(message: impl Display) -> Failure {
        Failure { code: 4, message: message.to_string() }
    }

    /// A second signal cut the drain short.
    pub(crate) fn forced() -> Failure {
        Failure { code: 130, message: "stopped by force: the drain was cut short".into() }
    }

    /// Prints the message to stderr and gives the code.
    pub(crate) fn report(&self) -> ExitCode {
        let _ = writeln!(std::io::stderr(), "stopbank: {}", self.message);
        ExitCode::from(self.code)
    }
}

impl Display for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.message)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure::usage(error)
    }
}

/// A closed pipe (`stopbank tap … | head`) is no failure worth a word, anything else about output is.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            Failure { code: 0, message: "the reader of our output went away".into() }
        } else {
            Failure::job(error)
        }
    }
}
