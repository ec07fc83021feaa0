use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;

const FILES: [(&str, &str); 7] = [
    ("index.html", "the page"),
    ("index.html.br", "page in br"),
    ("index.html.gz", "page in gzip"),
    ("assets/app-1a2b.js", "the script"),
    ("assets/app-1a2b.js.gz", "script in gzip"),
    ("favicon.svg", "a picture"),
    (".gitkeep", ""),
];

async fn ask(files: &[(&str, &'static str)], method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), Bytes::from_static(text.as_bytes())));
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let router: Router = serve(file::gather(files));
    let answer = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = answer.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Answer { status: parts.status, headers: parts.headers, text }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

#[tokio::test]
async fn the_page_answers_at_its_own_paths_alone() {
    for path in ["/"].into_iter().chain(VIEWS) {
        let answer = ask(&FILES, "GET", path, &[]).await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "the page"), "{path}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    }
    let others = [
        "/nowhere",
        "/live/more",
        "/index.html.br",
        "/.gitkeep",
        "/assets/none.js",
        "/assets/app-1a2b.js.gz",
    ];
    for path in others {
        assert_eq!(ask(&FILES, "GET", path, &[]).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(ask(&FILES, "POST", "/live", &[]).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn what_never_changes_is_kept_and_the_rest_asked_for_again() {
    let script = ask(&FILES, "GET", "/assets/app-1a2b.js", &[]).await;
    assert_eq!(script.text, "the script");
    assert_eq!(script.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    let picture = ask(&FILES, "GET", "/favicon.svg", &[]).await;
    assert_eq!(picture.header("cache-control"), Some("no-cache"));
    assert_eq!(picture.header("content-type"), Some("image/svg+xml"));

    let tag = ask(&FILES, "GET", "/", &[]).await.header("etag").unwrap().to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let answer = ask(&FILES, "GET", "/", &[("if-none-match", &known)]).await;
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NOT_MODIFIED, ""), "{known}");
        assert_eq!(answer.header("etag"), Some(tag.as_str()));
        // It takes the place of what was kept.
        assert!(answer.header("content-security-policy").is_some());
    }
    // The tag of one form says nothing of another.
    let answer = ask(&FILES, "GET", "/", &[("if-none-match", &tag), ("accept-encoding", "br")]).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "page in br"));
}

#[tokio::test]
async fn everybody_gets_the_best_form_that_they_take() {
    let cases = [
        ("gzip, deflate, br, zstd", Some("br"), "page in br"),
        ("gzip", Some("gzip"), "page in gzip"),
        ("br;q=0, gzip;q=0.5", Some("gzip"), "page in gzip"),
        ("*", Some("br"), "page in br"),
        ("*;q=0", None, "the page"),
        ("BR ; q=1.0", Some("br"), "page in br"),
        ("", None, "the page"),
        ("deflate", None, "the page"),
    ];
    for (accepted, encoding, text) in cases {
        let answer = ask(&FILES, "GET", "/", &[("accept-encoding", accepted)]).await;
        assert_eq!(answer.header("content-encoding"), encoding, "{accepted}");
        assert_eq!(answer.text, text, "{accepted}");
        assert_eq!(answer.header("vary"), Some("accept-encoding"), "{accepted}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{accepted}");
    }
    // Where there is no such form, the next one.
    let answer = ask(&FILES, "GET", "/assets/app-1a2b.js", &[("accept-encoding", "br, gzip")]).await;
    assert_eq!(answer.text, "script in gzip");
}

#[tokio::test]
async fn a_head_is_the_answer_without_its_body() {
    let accept = [("accept-encoding", "br")];
    for path in ["/", "/live", "/assets/app-1a2b.js", "/favicon.svg"] {
        let (get, head) = (ask(&FILES, "GET", path, &accept).await, ask(&FILES, "HEAD", path, &accept).await);
        assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""), "{path}");
        assert_eq!(head.headers, get.headers, "{path}");
        assert_eq!(head.header("content-length"), Some(get.text.len().to_string().as_str()), "{path}");
    }
}

#[tokio::test]
async fn without_a_page_it_is_told_how_to_build_it() {
    for files in [&[][..], &[(".gitkeep", "")]] {
        let answer = ask(files, "GET", "/", &[]).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.text.contains("make run") && answer.text.contains("npm run build"), "{}", answer.text);
        assert_eq!(ask(files, "GET", "/live", &[]).await.status, StatusCode::NOT_FOUND);
    }
}

#[test]
fn the_page_and_the_hub_know_the_same_paths() {
    let text = include_str!("../../web-demo/src/paths.ts");
    let known: Vec<&str> = text.split('"').skip(1).step_by(2).collect();
    assert_eq!(known, VIEWS);
}
