/// Which variables of the environment a program gets. The settings of a pull may have secrets in them, and those of engines are
/// secrets: none is for another program.
package enum ProgramVariables: Sendable {
  /// curl and this program itself, which need no secret from there.
  case plain
  /// An engine gets its own, and whatever else is neither another's nor a setting: stores and password commands have many.
  case engine(own: [String])
  /// A command of the user's, of which only its author knows what it needs: all but the settings.
  case command

  /// Of those that stand for options of `sluice pull`.
  package static let settings = "SLUICE_PULL_"

  private static let engines = ["restic": "RESTIC_", "borg": "BORG_", "rclone": "RCLONE_"]

  /// - Parameters:
  ///   - engine: its name.
  ///   - place: restic runs rclone for a repository `rclone:REMOTE:PATH`.
  package init(of engine: String, at place: String) {
    let programs = [engine] + (engine == "restic" && place.hasPrefix("rclone:") ? ["rclone"] : [])
    self = .engine(own: programs.compactMap { Self.engines[$0] })
  }

  /// Whether it gets a variable of this name.
  package func include(_ name: String) -> Bool {
    switch self {
    case .plain:
      Self.plainNames.contains(name) || Self.plainBeginnings.contains(where: name.hasPrefix)
        || Self.plainEnds.contains(where: name.lowercased().hasSuffix)
    case .engine(let own):
      !name.hasPrefix(Self.settings)
        && !Self.engines.values.contains { name.hasPrefix($0) && !own.contains($0) }
    case .command: !name.hasPrefix(Self.settings)
    }
  }

  private static let plainNames: Set<String> = [
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "LANG", "LANGUAGE", "TZ", "TERM", "COLUMNS",
    "LINES",
    // Of resolvers: resolv.conf(5), hostname(7).
    "LOCALDOMAIN", "HOSTALIASES",
    "GLIBC_TUNABLES",
  ]
  private static let plainBeginnings = [
    "LC_", "XDG_", "SQLITE_", "SWIFT_",
    // Of curl and the libraries that it has.
    "CURL_", "SSL_CERT_", "OPENSSL_", "GNUTLS_", "KRB5", "GSS", "RES_", "P11_", "PKCS11_",
    // Of the linker, the allocator, and profiles.
    "LD_", "MALLOC_", "LLVM_",
  ]
  /// In lower case: curl reads proxies in both. Then those of sanitizers.
  private static let plainEnds = ["_proxy", "san_options"]
}
