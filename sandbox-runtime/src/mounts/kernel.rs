//! File systems that show the kernel's own things: the sandbox's processes and terminals.

use std::path::Path;

use rustix::mount::MountAttrFlags;

use super::Root;
use crate::failure::{Doing, Part, Step};
use crate::tree::{attach, file_system, ignore_missing};

impl Root<'_> {
    pub(super) fn processes(&mut self, path: &Path, covered: bool) -> Step<()> {
        let flags = MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let mounted = file_system("proc", &[], flags).doing_at(Part::Mounts, "mount the processes at", path).map_err(|failure| match failure.errno {
            Some(libc::EPERM) => failure.remedy("a container that hides parts of /proc keeps us from mounting our own: start it with `--security-opt unmask=/proc/*` or as privileged"),
            _ => failure,
        })?;
        attach(&mounted, &self.make_directory(path)?).doing_at(Part::Mounts, "mount", path)?;
        let sysctl = path.join("sys");
        self.sysctl = Some(self.find(&sysctl)?);
        if !covered {
            return Ok(());
        }
        for name in ["sys", "sysrq-trigger", "irq", "bus", "fs"] {
            let read_only = self.pin(&path.join(name), false);
            ignore_missing(read_only)?;
        }
        for name in [
            "kcore",
            "keys",
            "key-users",
            "timer_list",
            "sched_debug",
            "acpi",
            "scsi",
            "kmsg",
            "kallsyms",
        ] {
            ignore_missing(self.cover(&path.join(name)))?;
        }
        Ok(())
    }

    pub(super) fn terminals(&self, path: &Path) -> Step<()> {
        let flags = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let options = [
            ("newinstance", None),
            ("ptmxmode", Some("0666")),
            ("mode", Some("620")),
        ];
        let mounted =
            file_system("devpts", &options, flags).doing_at(Part::Mounts, "mount the terminals at", path)?;
        attach(&mounted, &self.make_directory(path)?).doing_at(Part::Mounts, "mount", path)
    }
}
