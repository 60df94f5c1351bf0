//! Domains below which anybody can rent a name: storage, functions, pages, tunnels. A wildcard over one of them allows
//! sending data to a stranger's account.

/// True when `*.base` covers names that strangers can have.
pub(crate) fn is_below(base: &str) -> bool {
    let covers = |shared: &&str| *shared == base || crate::pattern::is_below(shared, base);
    SHARED.iter().any(covers) || is_regional(base)
}

/// `s3.eu-west-1.amazonaws.com` and its like.
fn is_regional(base: &str) -> bool {
    REGIONAL.iter().any(|(service, domain)| {
        crate::pattern::is_below(base, domain)
            && base
                .split('.')
                .next()
                .is_some_and(|first| first == *service || first.starts_with(&format!("{service}-")))
    })
}

const REGIONAL: [(&str, &str); 5] = [
    ("s3", "amazonaws.com"),
    ("execute-api", "amazonaws.com"),
    ("elb", "amazonaws.com"),
    ("compute", "amazonaws.com"),
    ("lambda-url", "on.aws"),
];

const SHARED: &[&str] = &[
    "aliyuncs.com",
    "amazonaws.com",
    "appspot.com",
    "azureedge.net",
    "azurewebsites.net",
    "b-cdn.net",
    "backblazeb2.com",
    "blob.core.windows.net",
    "cloudapp.azure.com",
    "cloudapp.net",
    "cloudfront.net",
    "cloudfunctions.net",
    "core.windows.net",
    "deno.dev",
    "digitaloceanspaces.com",
    "dfs.core.windows.net",
    "file.core.windows.net",
    "firebaseapp.com",
    "firebaseio.com",
    "firebasestorage.app",
    "fly.dev",
    "github.io",
    "githubusercontent.com",
    "gitlab.io",
    "glitch.me",
    "googleapis.com",
    "googleusercontent.com",
    "herokuapp.com",
    "hf.space",
    "linodeobjects.com",
    "loca.lt",
    "myqcloud.com",
    "netlify.app",
    "ngrok-free.app",
    "ngrok-free.dev",
    "ngrok.app",
    "ngrok.dev",
    "ngrok.io",
    "on.aws",
    "onrender.com",
    "oraclecloud.com",
    "pages.dev",
    "r2.cloudflarestorage.com",
    "r2.dev",
    "railway.app",
    "repl.co",
    "replit.app",
    "replit.dev",
    "run.app",
    "sharepoint.com",
    "storage.googleapis.com",
    "storage.yandexcloud.net",
    "supabase.co",
    "surge.sh",
    "trycloudflare.com",
    "vercel.app",
    "wasabisys.com",
    "web.app",
    "web.core.windows.net",
    "windows.net",
    "workers.dev",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_over_what_strangers_rent_is_known() {
        for base in [
            "amazonaws.com",
            "s3.amazonaws.com",
            "s3.eu-west-1.amazonaws.com",
            "s3-eu-west-1.amazonaws.com",
            "googleapis.com",
            "blob.core.windows.net",
            "windows.net",
            "github.io",
            "lambda-url.us-east-1.on.aws",
        ] {
            assert!(is_below(base), "{base}");
        }
        for base in [
            "example.com",
            "mybucket.s3.amazonaws.com",
            "me.github.io",
            "notamazonaws.com",
            "amazon.com",
        ] {
            assert!(!is_below(base), "{base}");
        }
    }
}
