//! Reads the files with names to block that a policy names.

use std::path::{Path, PathBuf};

use outwall_policy::{Blocklist, PolicyDocument};

use crate::discovery::read_regular_file;
use crate::failure::{Explain, Failure};

/// A million names are some 30 MB.
const LONGEST: u64 = 1 << 30;

/// Adds to a document what its blocklists hold. One that cannot be read is an error: without it more would be allowed than is
/// written. `locate` says what to read for a file by its name.
pub(crate) fn read_blocklists(
    document: &mut PolicyDocument,
    locate: impl Fn(&Path) -> Result<PathBuf, Failure>,
) -> Result<(), Failure> {
    let named: Vec<String> = document.blocklists().map(str::to_owned).collect();
    for path in named {
        let file = locate(Path::new(&path))?;
        let bytes =
            read_regular_file(&file, LONGEST).explain(format!("cannot read the blocklist `{path}`"))?;
        document.add_blocklist(&path, Blocklist::parse(&bytes, &path));
    }
    Ok(())
}
