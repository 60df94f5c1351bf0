//! Launches a command in a sandbox whose captured connections are answered with where they were meant to go.
//!
//! ```text
//! launch [--root] [--nested] [--home DIR] [--mount PATH[:rw]]... [--state DIR] [--timings] [--memory BYTES] [--processes N] [--] COMMAND [ARG]...
//! ```

use std::error::Error;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use outwall_policy::SandboxId;
use outwall_sandbox_runtime::{Exit, Home, Mount, Prepared, Spec, become_stage_if_asked, sweep};

fn main() -> ExitCode {
    become_stage_if_asked();
    match launch() {
        Ok(Exit::Code(code)) => ExitCode::from(u8::try_from(code).unwrap_or(255)),
        Ok(Exit::Signal(signal)) => ExitCode::from(u8::try_from(128 + signal).unwrap_or(255)),
        Err(error) => {
            eprint!("launch: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprint!(": {error}");
                cause = error.source();
            }
            eprintln!();
            ExitCode::from(125)
        }
    }
}

fn launch() -> Result<Exit, Box<dyn Error>> {
    let began = Instant::now();
    let mut timings = false;
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from);
    let state = std::env::temp_dir().join(format!("outwall-launch-{}", rustix::process::geteuid().as_raw()));
    let id = SandboxId::from_random(std::process::id().to_ne_bytes());
    let mut spec = Spec::new(id, Vec::new(), std::env::current_dir()?, state);
    spec.home_path = home;
    spec.variables = ["PATH", "HOME", "TERM", "LANG", "PYENV_ROOT", "USER"]
        .iter()
        .filter_map(|name| Some(((*name).into(), std::env::var_os(name)?)))
        .collect();
    let mut words = std::env::args_os().skip(1);
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--root") => spec.root = true,
            Some("--nested") => spec.nested_namespaces = true,
            Some("--timings") => timings = true,
            Some("--memory") => {
                spec.limits.memory_bytes = words.next().and_then(|word| word.to_str()?.parse().ok());
            }
            Some("--processes") => {
                spec.limits.processes = words.next().and_then(|word| word.to_str()?.parse().ok());
            }
            Some("--home") => spec.home = Home::Kept(words.next().ok_or("--home DIR")?.into()),
            Some("--state") => spec.state_dir = words.next().ok_or("--state DIR")?.into(),
            Some("--mount") => {
                let text = words
                    .next()
                    .and_then(|word| word.into_string().ok())
                    .ok_or("--mount PATH[:rw]")?;
                let writable = text.ends_with(":rw");
                spec.mounts.push(Mount {
                    path: text.trim_end_matches(":rw").into(),
                    writable,
                });
            }
            Some("--") => spec.command.extend(words.by_ref()),
            _ => {
                spec.command.push(word);
                spec.command.extend(words.by_ref());
            }
        }
    }
    sweep(&spec.state_dir)?;
    let mut prepared = Prepared::new(spec)?;
    let listeners = prepared.listeners();
    for listener in listeners.tcp {
        thread::spawn(move || answer(&listener));
    }
    for socket in listeners.dns_udp {
        thread::spawn(move || resolve(&socket));
    }
    let running = prepared.start()?;
    if timings {
        eprintln!("launch: {:?}, in all {:?}", running.timings(), began.elapsed());
    }
    Ok(running.wait()?)
}

/// Tells every client where it wanted to go.
fn answer(listener: &TcpListener) {
    drop(listener.set_nonblocking(false));
    for stream in listener.incoming().flatten() {
        let socket = socket2::SockRef::from(&stream);
        let target = socket
            .original_dst_v4()
            .or_else(|_| socket.original_dst_v6())
            .ok()
            .and_then(|target| target.as_socket());
        let mut stream = stream;
        drop(stream.set_nonblocking(false));
        let body = format!("captured {target:?} from {:?}\n", stream.peer_addr().ok());
        drop(write!(
            stream,
            "HTTP/1.0 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ));
    }
}

/// Gives every name the same address.
fn resolve(socket: &UdpSocket) {
    drop(socket.set_nonblocking(false));
    let mut buffer = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        let Some(question) = buffer.get(12..length) else {
            continue;
        };
        let name = question.iter().position(|byte| *byte == 0).unwrap_or(0);
        let is_v4 = question.get(name + 1..name + 3) == Some(&[0, 1]);
        let mut reply = buffer[..2].to_vec();
        reply.extend_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(is_v4), 0, 0, 0, 0]);
        reply.extend_from_slice(&question[..(name + 5).min(question.len())]);
        if is_v4 {
            reply.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            reply.extend_from_slice(&Ipv4Addr::new(198, 18, 0, 1).octets());
        }
        drop(socket.send_to(&reply, from));
    }
}
