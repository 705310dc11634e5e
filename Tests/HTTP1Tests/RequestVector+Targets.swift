import HTTP1

extension RequestVector {
  static let targets: [RequestVector] = [
    // origin-form
    .acceptTarget("RFC 9112 §3.2.1", "/api/backup", path: "/api/backup"),
    .acceptTarget("RFC 3986 §3.3: empty segments", "//a//", path: "//a//"),
    .acceptTarget(
      "RFC 3986 §3.3: every pchar", "/-._~!$&'()*+,;=:@az09/AZ", path: "/-._~!$&'()*+,;=:@az09/AZ"),
    .acceptTarget("RFC 3986 §6.2.2.3: not resolved", "/a/../b/./c", path: "/a/../b/./c"),
    .acceptTarget("RFC 3986 §6.2.2.2", "/%61pi/%7Euser", path: "/api/~user"),
    .acceptTarget("RFC 3986 §6.2.2.2", "/%2e%2E/etc", path: "/../etc"),
    .acceptTarget("RFC 3986 §2.2: a slash in a segment", "/a%2Fb", path: "/a%2Fb"),
    .acceptTarget("RFC 3986 §6.2.2.1: capitals", "/a%2fb", path: "/a%2Fb"),
    .acceptTarget("RFC 3986 §2.4: decoded once", "/a%252Fb", path: "/a%252Fb"),
    .acceptTarget("RFC 3986 §2.5: UTF-8", "/%C3%A9", path: "/%C3%A9"),
    .acceptTarget("RFC 3986 §2.1", "/%0D%0AX:%20y", path: "/%0D%0AX:%20y"),
    .acceptTarget("RFC 3986 §3.3: a plus is a plus", "/a+b", path: "/a+b"),

    // query
    .acceptTarget("RFC 3986 §3.4", "/?", path: "/"),
    .acceptTarget("RFC 3986 §3.4", "/a?b", path: "/a", query: [.init(name: "b", value: "")]),
    .acceptTarget("URL Standard §5.1", "/?db=a.db", path: "/", query: [.init(name: "db", value: "a.db")]),
    .acceptTarget(
      "URL Standard §5.1: repeated", "/?db=a&strict=1&db=b", path: "/",
      query: [
        .init(name: "db", value: "a"), .init(name: "strict", value: "1"), .init(name: "db", value: "b"),
      ]),
    .acceptTarget(
      "URL Standard §5.1: a plus is a space", "/?a+b=c+d%2Be", path: "/",
      query: [.init(name: "a b", value: "c d+e")]),
    .acceptTarget("URL Standard §5.1", "/?a=b=c", path: "/", query: [.init(name: "a", value: "b=c")]),
    .acceptTarget("URL Standard §5.1", "/?=v", path: "/", query: [.init(name: "", value: "v")]),
    .acceptTarget("URL Standard §5.1", "/?&&a=1&", path: "/", query: [.init(name: "a", value: "1")]),
    .acceptTarget("URL Standard §5.1", "/?a%3Db=%26", path: "/", query: [.init(name: "a=b", value: "&")]),
    .acceptTarget("URL Standard §5.1", "/?n=%C3%A9", path: "/", query: [.init(name: "n", value: "é")]),
    .acceptTarget("RFC 3986 §3.4: / and ?", "/?a=/?b", path: "/", query: [.init(name: "a", value: "/?b")]),

    // absolute-form
    .accept(
      "RFC 9112 §3.2.2", "GET http://a/b?c=d HTTP/1.1\r\nHost: a\r\n\r\n", path: "/b",
      query: [.init(name: "c", value: "d")]),
    .accept("RFC 9110 §4.2.3: an empty path", "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n"),
    .accept(
      "RFC 9110 §4.2.3", "GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n", query: [.init(name: "b", value: "")]),
    .accept("RFC 3986 §6.2.2.1", "GET HTTP://A/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    .accept("RFC 9112 §3.2.2", "GET http://a:8080/ HTTP/1.1\r\nHost: a:8080\r\n\r\n"),
    .accept("RFC 9112 §3.2.2", "GET http://[::1]:80/ HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
    .accept(
      "RFC 9112 §3.2.2", "GET http://a/ HTTP/1.0\r\n\r\n", version: .http10, fieldCount: 0, keepsAlive: false),
    .accept("RFC 9112 §3.2.2", "GET http://a/%61 HTTP/1.1\r\nHost: a\r\n\r\n", path: "/a"),
    .refuse(400, "RFC 9112 §3.2", "GET http://a/ HTTP/1.1\r\n\r\n"),
    .refuse(400, "RFC 9112 §3.2: identical to that", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n"),
    .refuse(400, "RFC 9112 §3.2: identical to that", "GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    .refuse(400, "RFC 9112 §3.2: identical to that", "GET http://a/ HTTP/1.0\r\nHost: b\r\n\r\n"),
    .refuse(400, "RFC 9110 §4.2.4: userinfo", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    .refuse(400, "RFC 9110 §4.2.4: userinfo", "GET http://u:p@a/ HTTP/1.1\r\nHost: u:p@a\r\n\r\n"),
    .refuse(400, "RFC 9110 §4.2.1: an empty host", "GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n"),
    .refuse(400, "RFC 9110 §4.2.1: an empty host", "GET http://:80/a HTTP/1.1\r\nHost: :80\r\n\r\n"),
    .refuse(400, "RFC 3986 §3.2.2", "GET http://a%/ HTTP/1.1\r\nHost: a%\r\n\r\n"),
    .refuse(421, "RFC 9110 §7.4", "GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    .refuseTarget("RFC 9112 §3.2.2", "ftp://a/"),
    .refuseTarget("RFC 9112 §3.2.2", "file:///etc/passwd"),
    .refuseTarget("RFC 9112 §3.2.2", "http:/a"),
    .refuseTarget("RFC 9112 §3.2.2", "http:a"),
    .refuseTarget("RFC 9112 §3.2.2", "http:"),

    // The other forms.
    .refuseTarget("RFC 9112 §3.2.3: authority-form", "a:80"),
    .refuseTarget("RFC 9112 §3.2.3: authority-form", "a"),
    .refuseTarget("RFC 9112 §3.2.4: asterisk-form", "*"),
    .refuseTarget("RFC 9112 §3.2", "api/backup"),
    .refuseTarget("RFC 9112 §3.2", "?a"),
    .refuseTarget("RFC 9112 §3.2", "../a"),
    .refuseTarget("RFC 9112 §3.2", "\\a"),

    // Octets that no target has.
    .refuseTarget("RFC 9112 §3.2: a fragment", "/a#b"),
    .refuseTarget("RFC 9112 §3.2: a fragment", "/a?b#"),
    .refuseTarget("RFC 3986 §2", "/a\\b"),
    .refuseTarget("RFC 3986 §2", "/<a>"),
    .refuseTarget("RFC 3986 §2", "/\"a\""),
    .refuseTarget("RFC 3986 §2", "/{a}"),
    .refuseTarget("RFC 3986 §2", "/a|b"),
    .refuseTarget("RFC 3986 §2", "/a^b"),
    .refuseTarget("RFC 3986 §2", "/a`b"),
    .refuseTarget("RFC 3986 §3.3", "/[a]"),
    .refuseTarget("RFC 3986 §3.4", "/?a[]=1"),
    .refuseTarget("RFC 3986 §2", "/\u{0}"),
    .refuseTarget("RFC 3986 §2", "/\u{1}"),
    .refuseTarget("RFC 3986 §2", "/\u{7F}"),
    .refuseTarget("RFC 3986 §2", "/\u{C3}\u{A9}"),
    .refuseTarget("RFC 3986 §2", "/\u{A0}"),
    .refuseTarget("RFC 9112 §2.2", "/a\rb"),
    .refuseTarget("RFC 9112 §2.2", "/a\nb"),

    // Escapes.
    .refuseTarget("RFC 3986 §2.1", "/%"),
    .refuseTarget("RFC 3986 §2.1", "/%4"),
    .refuseTarget("RFC 3986 §2.1", "/%4g"),
    .refuseTarget("RFC 3986 §2.1", "/%G4"),
    .refuseTarget("RFC 3986 §2.1", "/%%41"),
    .refuseTarget("RFC 3986 §2.1", "/%u0041"),
    .refuseTarget("RFC 3986 §2.1", "/a%2?b"),
    .refuseTarget("RFC 3986 §2.1", "/?a=%"),
    .refuseTarget("RFC 3986 §2.1", "/?a=%2&b"),
    .refuseTarget("RFC 3986 §7.3: NUL", "/%00"),
    .refuseTarget("RFC 3986 §7.3: NUL", "/?a=%00"),
    .refuseTarget("RFC 3629 §3", "/%FF"),
    .refuseTarget("RFC 3629 §3: overlong", "/%C0%AF"),
    .refuseTarget("RFC 3629 §3: a surrogate", "/%ED%A0%80"),
    .refuseTarget("RFC 3629 §3: cut short", "/%C3"),
    .refuseTarget("RFC 3629 §3", "/?a=%FF"),
    .refuseTarget("RFC 3629 §3", "/?%C3=%A9"),
  ]
}
