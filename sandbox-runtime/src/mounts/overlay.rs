//! Directories of the host below a discarded layer.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid, chownat, mkdirat, open, statat};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use super::Root;
use crate::failure::{Doing, Part, Step};
use crate::plan::{FileStep, Placed};
use crate::tree::{attach, attach_at, directories_in_layer, hide_in_layer, new_overlay};

impl Root<'_> {
    pub(super) fn overlay(&mut self, step: &FileStep) -> Step<()> {
        let FileStep::Overlay {
            source,
            path,
            writable,
            owners,
            placed,
            hidden,
        } = step
        else {
            return Ok(());
        };
        let lower = self.host_tree(source, *owners)?;
        let number = self.number();
        let stage = Path::new("/stage").join(&number);
        mkdirat(CWD, &stage, Mode::from_raw_mode(0o700)).doing_at(Part::Mounts, "make", &stage)?;
        attach_at(&lower, &stage)?;
        let (upper, work) = (
            format!("/layers/{number}.upper"),
            format!("/layers/{number}.work"),
        );
        let upper_directory = layer_like(&lower, &upper).doing_at(Part::Mounts, "make a layer for", path)?;
        for (relative, placed) in placed {
            self.place_in_layer(&upper_directory, &lower, relative, *placed)
                .doing_at(Part::Mounts, "place a file in", path)?;
        }
        for relative in hidden {
            hide_in_layer(&upper_directory, &lower, relative).doing_at(
                Part::Mounts,
                "hide a file in",
                path,
            )?;
        }
        mkdirat(CWD, &work, Mode::from_raw_mode(0o700)).doing_at(Part::Mounts, "make a layer for", path)?;
        let options = if *writable {
            vec![
                ("lowerdir", stage.to_str().unwrap_or_default().to_owned()),
                ("upperdir", upper),
                ("workdir", work),
            ]
        } else {
            vec![("lowerdir", format!("{upper}:{}", stage.display()))]
        };
        let restrictions = if *writable {
            MountAttrFlags::empty()
        } else {
            MountAttrFlags::MOUNT_ATTR_RDONLY
        };
        let mounted = new_overlay(&options, restrictions, !self.identity.by_real_root()).doing_at(
            Part::Mounts,
            "overlay",
            path,
        )?;
        attach(&mounted, &self.make_directory(path)?).doing_at(Part::Mounts, "mount", path)
    }

    fn place_in_layer(
        &self,
        layer: &OwnedFd,
        lower: &OwnedFd,
        relative: &Path,
        placed: Placed,
    ) -> io::Result<()> {
        let parent = directories_in_layer(layer, lower, relative.parent().unwrap_or(Path::new("")))?;
        let name = relative.file_name().ok_or(Errno::INVAL)?;
        self.as_owner_of(&parent, || self.write(&parent, Path::new(name), placed))
    }
}

/// An upper directory with the owner and mode of `lower`, which the overlay's own root takes from it.
fn layer_like(lower: &OwnedFd, path: &str) -> io::Result<OwnedFd> {
    let like = statat(lower, "", AtFlags::EMPTY_PATH)?;
    mkdirat(CWD, path, Mode::from_raw_mode(like.st_mode & 0o7777))?;
    // An owner that does not exist in our user namespace cannot be given; then the directory stays ours.
    chownat(
        CWD,
        path,
        Some(Uid::from_raw(like.st_uid)),
        Some(Gid::from_raw(like.st_gid)),
        AtFlags::empty(),
    )
    .ok();
    Ok(open(
        path,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?)
}
