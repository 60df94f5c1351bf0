//! The conversation between the process that asked for a sandbox and the stages that make it: small messages with descriptors on one socket.
//!
//! The other end of the socket is the sandbox's lifeline: when the asking process dies, however it dies, the kernel closes it.
//! It knows nothing of what the messages are for. Start with [`Wire`].

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::engine::Exit;
use crate::failure::{Failure, Part, Step};

/// What the asking process tells the stages.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToStage {
    /// Make this: the plan in a memory file, then standard input, output and error, then what inner sockets are asked for on, if
    /// they are wanted.
    Plan,
    /// The ids of the outer user namespace are mapped.
    IdsMapped,
    /// Run the command.
    Start,
    /// Instead of a plan: try out what this machine offers.
    Probe,
}

/// What the stages tell the asking process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromStage {
    /// The outer user namespace exists and wants its ids mapped from outside.
    WantsIds,
    /// The listeners are open: their descriptors, in the order of the kinds. Times in microseconds.
    Listening {
        kinds: Vec<ListenerKind>,
        namespaces: u64,
        network: u64,
    },
    /// The files are in place: the descriptor of the sandbox's `/proc`, and with a terminal that of its master side. The time in
    /// microseconds, and the number of the mount namespace.
    Built { mounts: u64, namespace: u64 },
    /// The command runs: a descriptor for its process.
    Started { start: u64 },
    /// The command ended.
    Ended(Exit),
    /// What each trial failed with.
    Probed(Vec<Option<Failure>>),
    /// A step failed; nothing follows.
    Failed(Failure),
}

/// What a descriptor of [`FromStage::Listening`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ListenerKind {
    Tcp,
    DnsUdp,
    DnsTcp,
    /// A loopback port of the sandbox that stands for one of the host.
    HostPort(u16),
    /// No listener: it knows the sockets of the network.
    Diagnosis,
}

/// Descriptors in one message at most: listeners of both families for the capture and for as many host ports as a policy may
/// have, and what knows the sockets. The kernel takes 253.
const DESCRIPTORS: usize = 6 + 2 * 32 + 1;
/// Bytes of one message at most; the plan travels in a memory file.
const MESSAGE: usize = 16 * 1024;

/// One end of the conversation.
#[derive(Debug)]
pub(crate) struct Wire(OwnedFd);

impl Wire {
    /// Both ends of a new conversation.
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        let (here, there) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Self(here), Self(there)))
    }

    /// The end that is the open socket `descriptor`.
    pub(crate) fn from_descriptor(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }

    /// The descriptor itself.
    pub(crate) fn into_descriptor(self) -> OwnedFd {
        self.0
    }

    /// Sends a message with descriptors.
    pub(crate) fn send(&self, message: &impl Serialize, descriptors: &[BorrowedFd<'_>]) -> Step<()> {
        let bytes = serde_json::to_vec(message).expect("messages are plain data with string keys");
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(Failure::new(Part::Conversation, "send so many descriptors"));
        }
        sendmsg(
            &self.0,
            &[IoSlice::new(&bytes)],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        )
        .map_err(|errno| Failure {
            errno: Some(errno.raw_os_error()),
            ..Failure::new(Part::Conversation, "send a message")
        })?;
        Ok(())
    }

    /// The next message; `None` when the other end is closed.
    pub(crate) fn receive<M: DeserializeOwned>(&self) -> Step<Option<(M, Vec<OwnedFd>)>> {
        let mut bytes = vec![0; MESSAGE];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            match recvmsg(
                &self.0,
                &mut [IoSliceMut::new(&mut bytes)],
                &mut ancillary,
                RecvFlags::CMSG_CLOEXEC,
            ) {
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::CONNRESET) => return Ok(None),
                Err(errno) => {
                    return Err(Failure {
                        errno: Some(errno.raw_os_error()),
                        ..Failure::new(Part::Conversation, "receive a message")
                    });
                }
                Ok(received) => break received.bytes,
            }
        };
        let descriptors = ancillary.drain().flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect(),
            _ => Vec::new(),
        });
        let descriptors = descriptors.collect();
        if received == 0 {
            return Ok(None);
        }
        let message = serde_json::from_slice(&bytes[..received])
            .map_err(|error| Failure::new(Part::Conversation, format!("understand a message: {error}")))?;
        Ok(Some((message, descriptors)))
    }

    /// The next message, where the end of the conversation is a failure: what was waited for, as an infinitive.
    pub(crate) fn expect<M: DeserializeOwned>(&self, waiting: &'static str) -> Step<(M, Vec<OwnedFd>)> {
        self.receive()?
            .ok_or_else(|| Failure::new(Part::Conversation, waiting))
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
