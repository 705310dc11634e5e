import Glibc
import Pull
import Service
import System
import Systemd

/// The files of an instance: written, shown and removed.
extension PullSetup {
  /// Writes what is not there yet.
  ///
  /// - Returns: whether anything was.
  func carryOut(_ plan: Plan, dryRun: Bool) throws -> Bool {
    let settingsPath = Self.settingsPath(plan.name)
    let before = SystemFile.text(of: settingsPath)
    guard before?.utf8.starts(with: Self.firstLine.utf8) ?? true else {
      throw Failure(description: "\(settingsPath) was not written by sluice setup: move it away first")
    }
    var isChanged = false
    func write(_ content: String, _ path: BytePath, shown: String, isSecret: Bool) throws {
      let isNew = SystemFile.text(of: path) != content
      put("# \(path)\(isNew ? "" : " (unchanged)")\n\(shown)\n", STDOUT_FILENO)
      if isNew, !dryRun { try SystemFile.write(content, to: path, isSecret: isSecret) }
      isChanged = isChanged || isNew
    }
    try write(plan.settings, settingsPath, shown: plan.shown, isSecret: true)
    if let token = plan.token {
      try write(token, Self.tokenPath(plan.name), shown: "# A token.\n", isSecret: true)
    }
    if let dropIn = plan.dropIn {
      try write(dropIn.content, dropIn.path, shown: dropIn.content, isSecret: false)
    } else if SystemFile.text(of: Self.dropInPath(plan.name)) != nil {
      put("remove \(Self.dropInPath(plan.name))\n", STDOUT_FILENO)
      if !dryRun { try DropIn.remove(Self.dropInPath(plan.name)) }
      isChanged = true
    }
    return isChanged
  }

  /// What an instance has, without secrets.
  func showAll(_ name: String) throws(Failure) {
    guard let settings = SystemFile.text(of: Self.settingsPath(name)) else {
      throw Failure(description: "\(Self.settingsPath(name)) is not there, or this user cannot read it")
    }
    let lines = settings.split(separator: "\n").map { line in
      guard let (name, value) = EnvironmentFile(Array(line.utf8)).variables.first else { return String(line) }
      return "\(name)=\(Self.shown(name, value).environmentQuoted)"
    }
    put("# \(Self.settingsPath(name))\n\(lines.map { "\(printable($0))\n" }.joined())\n", STDOUT_FILENO)
    let hasToken = unsafe access("\(Self.tokenPath(name))", F_OK) == 0
    put("# \(Self.tokenPath(name))\(hasToken ? "" : " (none)")\n", STDOUT_FILENO)
    if let dropIn = SystemFile.text(of: Self.dropInPath(name)) {
      put("\n# \(Self.dropInPath(name))\n\(dropIn)", STDOUT_FILENO)
    }
  }

  /// Removes all of it but the backups.
  func removeAll(_ name: String, dryRun: Bool) throws(Failure) {
    let paths = [Self.settingsPath(name), Self.tokenPath(name), Self.dropInPath(name)]
    for path in paths {
      put("remove \(path)\n", STDOUT_FILENO)
      if !dryRun { try SystemFile.remove(path) }
    }
    guard !dryRun else { return }
    // Where nothing else is in them.
    for folder in [paths[2].parent, paths[0].parent, paths[0].parent?.parent] {
      if let folder { FileSystem.removeDirectory(folder) }
    }
  }
}
