//! `outwall ui`: pages to look at the audit with, in a browser on this machine.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use outwall_control::pages::{self, Door, Pages, Sources};
use rustix::event::{PollFd, PollFlags, poll};
use tempfile::NamedTempFile;

use crate::arguments::Session;
use crate::failure::{Explain, Failure};
use crate::github::Socket;
use crate::listening::{beyond_loopback, listen};
use crate::terminal::{Paint, say};

mod sinks;

/// Shows the audit in a browser: live traffic, denials, findings, timelines
///
/// Pages for this machine alone, which change nothing. They are opened with the link that is printed: it is good once, for five
/// minutes, and the browser is logged in then. Press Enter for another link. The policy stays as it is: what a page suggests is text to
/// copy.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  outwall ui --open                  print the link, and open it in the browser
  outwall ui --listen 127.0.0.1:8600 always at the same port
  ssh -L 8600:127.0.0.1:8600 HOST outwall ui --listen 127.0.0.1:8600
                                     that of another machine")]
pub(crate) struct Arguments {
    /// Where to listen, on the loopback interface only; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Serve at this socket instead, for a tunnel to it: `ssh -L 8600:PATH HOST`
    #[arg(long, value_name = "PATH", conflicts_with_all = ["listen", "open"])]
    socket: Option<PathBuf>,

    /// Open the link in the browser
    #[arg(long)]
    open: bool,
}

impl Arguments {
    pub(crate) fn obey(self, session: &Session) -> Result<ExitCode, Failure> {
        if let Some(open) = beyond_loopback(&[self.listen]) {
            return Err(Failure::new(format!(
                "other machines can reach {open}, and the pages are for this one alone"
            ))
            .hint("listen on 127.0.0.1 or [::1]")
            .hint(
                "from another machine: `ssh -L 8600:127.0.0.1:8600 HOST outwall ui --listen 127.0.0.1:8600`",
            ));
        }
        let (door, place, socket) = self.door()?;
        let pages = Pages::new(sources(session)?);
        say!(
            "listening on {}",
            socket
                .as_ref()
                .map_or(place.clone(), |socket| socket.path().display().to_string())
        )?;
        let shown = show_link(&pages, &place)?;
        let page = if self.open {
            open_in_browser(session, &shown)?
        } else {
            None
        };
        print_links_on_demand(&pages, place);
        let served = pages::serve(&pages, door);
        drop((socket, page));
        served?;
        Ok(ExitCode::SUCCESS)
    }

    /// Where it is served, and what a browser calls that.
    fn door(&self) -> Result<(Door, String, Option<Socket>), Failure> {
        if let Some(path) = &self.socket {
            let socket = Socket::open(path)?;
            let listener = socket.unserved()?;
            return Ok((Door::Socket(listener), "localhost:PORT".to_owned(), Some(socket)));
        }
        let listener = listen(&self.listen)?;
        let address = listener.local_addr()?;
        let host = match address.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        Ok((
            Door::Loopback(listener),
            format!("{host}:{}", address.port()),
            None,
        ))
    }
}

fn sources(session: &Session) -> Result<Sources, Failure> {
    let found = session.discover()?;
    Ok(Sources {
        audit: session.state.audit(),
        control: session.state.control(),
        policy_file: found.counts.map(|file| file.path.display().to_string()),
        sinks: sinks::told(session.clone()),
    })
}

/// Prints a new link, and gives it back.
fn show_link(pages: &Pages, place: &str) -> Result<String, Failure> {
    let link = format!("http://{place}{}", pages.link());
    say!("open {link}")?;
    let _ = writeln!(
        std::io::stderr(),
        "outwall: the link is good once, for {} minutes; Enter prints another, Ctrl-C ends",
        pages::LINK_LIVES.as_secs() / 60
    );
    Ok(link)
}

/// A line on standard input asks for another link.
fn print_links_on_demand(pages: &Arc<Pages>, place: String) {
    let pages = Arc::clone(pages);
    std::thread::spawn(move || {
        while asked_for_another() {
            if show_link(&pages, &place).is_err() {
                return;
            }
        }
    });
}

/// Waits for a line. A terminal is read only while it is ours: what reads it in the background is stopped.
fn asked_for_another() -> bool {
    let stdin = std::io::stdin();
    while stdin.is_terminal() {
        let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
        let heard = poll(&mut ready, None).is_ok();
        if heard && rustix::termios::tcgetpgrp(&stdin).is_ok_and(|group| group == rustix::process::getpgrp())
        {
            break;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    let mut line = String::new();
    stdin.lock().read_line(&mut line).is_ok_and(|bytes| bytes > 0)
}

/// Has the browser open a file of ours that leads to the link: what a program is started with, every user of the machine can read.
fn open_in_browser(session: &Session, link: &str) -> Result<Option<NamedTempFile>, Failure> {
    session.state.make()?;
    let mut page = tempfile::Builder::new()
        .prefix("ui-")
        .suffix(".html")
        .tempfile_in(session.state.path())
        .explain("cannot write the page that leads to the link")?;
    writeln!(
        page,
        "<!doctype html><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\">\
         <meta http-equiv=\"refresh\" content=\"0; url={link}\"><title>Outwall</title><a href=\"{link}\">Go on</a>"
    )
    .and_then(|()| page.flush())
    .explain("cannot write the page that leads to the link")?;
    let started = Command::new("xdg-open")
        .arg(page.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        Ok(mut browser) => {
            std::thread::spawn(move || browser.wait());
            Ok(Some(page))
        }
        Err(error) => {
            let paint = Paint::for_stderr();
            let _ = writeln!(
                std::io::stderr(),
                "{} cannot start `xdg-open`: {error}\n{} open the link yourself",
                paint.yellow("warning:"),
                paint.cyan("hint:")
            );
            Ok(None)
        }
    }
}
