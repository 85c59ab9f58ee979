//! `key`.
use std::path::PathBuf;

use clap::Subcommand;

/// `vitte key …`
#[derive(Debug, Subcommand)]
pub enum KeyVerb {
    /// Make a pair of keys
    #[command(after_help = "Example:\n  vitte key generate work\n\n\
        The password is asked for, or taken from VITTE_KEY_PASSWORD.")]
    Generate {
        /// What the files are called
        #[arg(default_value = "default", value_name = "NAME")]
        name: String,
        /// Leave the secret key without a password
        #[arg(long)]
        no_password: bool,
        /// Where to put `NAME.key` and `NAME.pub`; the settings folder's `keys` if left out
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
    /// Sign files; each signature is put beside its file, as FILE.minisig
    #[command(after_help = "Example:\n  vitte key sign build/maths.wasm\n\n\
        The password is asked for, or taken from VITTE_KEY_PASSWORD.")]
    Sign {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The secret key: a name, or a path of one that `minisign` made
        #[arg(long, default_value = "default", value_name = "KEY")]
        key: String,
        /// A comment that the signature vouches for; the file's name if left out
        #[arg(long, value_name = "TEXT")]
        comment: Option<String>,
    },
    /// Say who signed a file
    #[command(after_help = "Example:\n  vitte key verify maths.wasm && vitte load maths.wasm")]
    Verify {
        /// The file; its signature is looked for beside it
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Trust the modules that a key has signed
    #[command(after_help = "Example:\n  vitte key trust ~/Downloads/acme.pub")]
    Trust {
        /// The file of the public key
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// What to call it; the file's name if left out
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Trust a key no more
    #[command(after_help = "Example:\n  vitte key revoke acme")]
    Revoke {
        /// Which, as `vitte key list` shows it
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// List the keys that are trusted, and those that were revoked
    List,
}
