//! One run of a program, kept whole so that a failed assertion can show it.

use std::fmt;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What no command may exceed.
const DEADLINE: Duration = Duration::from_secs(120);

/// How a program ended and what it said.
pub struct Run {
    command: String,
    status: ExitStatus,
    /// How long it took.
    pub took: Duration,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// A program at work.
pub struct Running {
    command: String,
    started: Instant,
    /// The process.
    pub child: Child,
    stdout: JoinHandle<Vec<u8>>,
    stderr: JoinHandle<Vec<u8>>,
}

impl Run {
    /// Runs a command to its end, with nothing on standard input.
    pub fn of(command: Command) -> Run {
        Running::start(command).wait()
    }

    /// The exit code; 128 and the signal, if one ended it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// It ended with this code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Run {
        assert!(self.code() == code, "expected exit code {code}\n{self}");
        self
    }

    /// It ended well.
    #[track_caller]
    pub fn ok(self) -> Run {
        self.exits(0)
    }

    /// Standard output as text.
    #[track_caller]
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap_or_else(|e| panic!("not text: {e}\n{self}"))
    }

    /// The only line of standard output.
    #[track_caller]
    pub fn line(&self) -> String {
        let text = self.text();
        let mut lines = text.lines();
        match (lines.next(), lines.next()) {
            (Some(line), None) => line.to_owned(),
            _ => panic!("expected one line\n{self}"),
        }
    }

    /// Each line of standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Vec<serde_json::Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("no JSON: {e}\n{self}"));
        self.text().lines().map(parse).collect()
    }

    /// Standard output or error names it.
    #[track_caller]
    pub fn names(self, what: &str) -> Run {
        let says = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(what);
        assert!(says(&self.stdout) || says(&self.stderr), "'{what}' is not named\n{self}");
        self
    }

    /// One line of error, none of them a panic's.
    #[track_caller]
    pub fn tells_in_one_line(self) -> Run {
        let errors = String::from_utf8_lossy(&self.stderr).into_owned();
        let lines = errors.lines().filter(|line| line.starts_with("chasm: ")).count();
        assert!(lines >= 1 && !errors.contains("panicked"), "expected one line about the error\n{self}");
        self
    }
}

impl Running {
    /// Starts a command, with nothing on standard input.
    pub fn start(mut command: Command) -> Running {
        let text = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot run {text}: {e}"));
        let stdout = drain(child.stdout.take().expect("it is piped"));
        let stderr = drain(child.stderr.take().expect("it is piped"));
        Running { command: text, started: Instant::now(), child, stdout, stderr }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal);
    }

    /// Waits for its end; one that takes too long is killed, and fails the test.
    #[track_caller]
    pub fn wait(mut self) -> Run {
        let mut pause = Duration::from_millis(1);
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            if self.started.elapsed() > DEADLINE {
                let _ = self.child.kill();
                panic!("no end after {DEADLINE:?}: {}", self.command);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        };
        let run = Run {
            command: self.command,
            status,
            took: self.started.elapsed(),
            stdout: self.stdout.join().expect("reading does not panic"),
            stderr: self.stderr.join().expect("reading does not panic"),
        };
        assert!(run.code() != 101, "a panic\n{run}");
        run
    }
}

fn drain(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        let _ = from.read_to_end(&mut all);
        all
    })
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "command: {}", self.command)?;
        writeln!(f, "ended:   {} after {:?}", self.status, self.took)?;
        for (name, bytes) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let shown = &bytes[..bytes.len().min(4000)];
            writeln!(f, "{name}:  {}", String::from_utf8_lossy(shown).trim_end().replace('\n', "\n         "))?;
        }
        Ok(())
    }
}

/// Writes bytes into a file at an offset, and keeps its times: damage that only
/// reading finds.
pub fn overwrite(path: &std::path::Path, offset: u64, bytes: &[u8]) {
    use std::os::unix::fs::{FileExt, PermissionsExt};
    let meta = std::fs::metadata(path).expect("it is there");
    let mut mode = meta.permissions();
    mode.set_mode(mode.mode() | 0o200);
    std::fs::set_permissions(path, mode).expect("it is ours");
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("it is ours");
    file.write_all_at(bytes, offset).expect("there is space");
    file.set_modified(meta.modified().expect("it has a time")).expect("it is ours");
    std::fs::set_permissions(path, meta.permissions()).expect("it is ours");
    let _ = (&file).flush();
}

/// Flips one bit of a file and keeps its times.
pub fn flip(path: &std::path::Path, bit: u64) {
    let bytes = std::fs::read(path).expect("it is there");
    let at = usize::try_from(bit / 8).expect("it is in the file");
    overwrite(path, bit / 8, &[bytes[at] ^ (1 << (bit % 8))]);
}
