//! Progress and findings on standard error, and interruption.
//!
//! A bar appears when a job has run for 250 ms, on a terminal only. Findings are
//! printed as they come, up to a number, and counted beyond it.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use chasm::monitor::{Amount, Finding, Monitor};

const QUIET_START: Duration = Duration::from_millis(250);
const FINDINGS_SHOWN: u64 = 50;
const REDRAWS_PER_SEC: u8 = 20;

/// Listens to the library on behalf of a person.
pub struct Progress {
    interrupted: Arc<AtomicBool>,
    partial: AtomicBool,
    findings: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
    quiet: bool,
    job: Mutex<Option<Job>>,
}

struct Job {
    name: &'static str,
    total: Option<Amount>,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub fn new(quiet: bool) -> anyhow::Result<Progress> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
            // The second one does not wait for anything to be tidied up.
            signal_hook::flag::register_conditional_shutdown(signal, 130, interrupted.clone())?;
            signal_hook::flag::register(signal, interrupted.clone())?;
        }
        Ok(Progress {
            interrupted,
            partial: AtomicBool::new(false),
            findings: AtomicU64::new(0),
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            quiet,
            job: Mutex::new(None),
        })
    }

    /// Prints a line above the bar.
    pub fn line(&self, line: &str) {
        let job = self.job.lock().expect("no holder of this lock panics");
        match job.as_ref().and_then(|job| job.bar.as_ref()) {
            Some(bar) => bar.suspend(|| write_line(line)),
            None => write_line(line),
        }
    }

    /// Whether anything was found that makes the result less than asked for.
    pub fn is_partial(&self) -> bool {
        self.partial.load(Ordering::Relaxed)
    }

    /// Takes the bar off the terminal; tells how many findings were not shown.
    pub fn clear(&self) {
        self.end();
        let hidden = self.findings.load(Ordering::Relaxed).saturating_sub(FINDINGS_SHOWN);
        if hidden > 0 {
            self.line(&format!("chasm: and {hidden} more"));
        }
    }

    fn draw(&self, job: &mut Job) {
        let done = Amount { files: self.files.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) };
        let bar = job.bar.get_or_insert_with(|| {
            let bar = match job.total {
                Some(total) => ProgressBar::new(total.bytes.max(1)),
                None => ProgressBar::no_length(),
            };
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SEC));
            let template = match job.total {
                Some(_) => {
                    "{prefix} [{bar:24}] {msg}  {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  {eta} left"
                }
                None => "{prefix} {spinner} {msg}  {binary_bytes}  {binary_bytes_per_sec}",
            };
            let style = ProgressStyle::with_template(template).expect("the template is valid");
            bar.set_style(style.progress_chars("=> "));
            bar.set_prefix(job.name);
            bar.with_elapsed(job.started.elapsed())
        });
        let files = match job.total {
            Some(total) => {
                format!("{}/{} files", super::output::grouped(done.files), super::output::grouped(total.files))
            }
            None => super::output::count(done.files, "file"),
        };
        bar.set_message(files);
        bar.set_position(done.bytes);
    }
}

/// Standard error may be closed; there is nobody to tell then.
fn write_line(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

impl Monitor for Progress {
    fn begin(&self, name: &'static str, total: Option<Amount>) {
        self.files.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        let job = Job { name, total, started: Instant::now(), bar: None };
        *self.job.lock().expect("no holder of this lock panics") = Some(job);
    }

    fn advance(&self, done: Amount) {
        self.files.fetch_add(done.files, Ordering::Relaxed);
        self.bytes.fetch_add(done.bytes, Ordering::Relaxed);
        if self.quiet || !std::io::stderr().is_terminal() {
            return;
        }
        // Whoever finds it taken leaves the drawing to its holder.
        if let Ok(mut job) = self.job.try_lock()
            && let Some(job) = job.as_mut()
            && job.started.elapsed() >= QUIET_START
        {
            self.draw(job);
        }
    }

    fn end(&self) {
        if let Some(Job { bar: Some(bar), .. }) = self.job.lock().expect("no holder of this lock panics").take() {
            bar.finish_and_clear();
        }
    }

    fn finding(&self, finding: Finding) {
        if finding.partial {
            self.partial.store(true, Ordering::Relaxed);
        } else if self.quiet {
            return;
        }
        if self.findings.fetch_add(1, Ordering::Relaxed) < FINDINGS_SHOWN {
            self.line(&format!("chasm: {finding}"));
        }
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}
