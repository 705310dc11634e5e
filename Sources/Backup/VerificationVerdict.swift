extension Verification {
  /// Compares everything with the manifest, and finds the verdict.
  mutating func judge() {
    guard let text = contents["MANIFEST.json"], let manifest = Manifest(text) else {
      if !entries.contains(where: { $0.path == "MANIFEST.json" }) {
        let isDamaged = !faults.isEmpty || entries.contains { $0.fault != nil }
        verdict = isDamaged ? .damaged : .foreign
        if !isDamaged {
          faults.append("it is a zip without a MANIFEST.json: nothing tells what should be in it")
        }
      } else {
        faults.append("MANIFEST.json is none that this version can read")
        verdict = .damaged
      }
      return
    }
    skipped = manifest.skipped
    var promised: [String: Manifest.Entry] = [:]
    for entry in manifest.entries {
      if promised.updateValue(entry, forKey: entry.path) != nil {
        faults.append("the manifest has \(printable(entry.path)) twice")
      }
    }
    for index in entries.indices where entries[index].path != "MANIFEST.json" {
      guard let entry = promised.removeValue(forKey: entries[index].path) else {
        entries[index].fault = entries[index].fault ?? "the manifest has no such entry"
        continue
      }
      compare(&entries[index], with: entry)
    }
    for path in promised.keys.sorted() { faults.append("\(printable(path)): is missing") }
    if let version = contents["VERSION"], version != Array((manifest.appVersion + "\n").utf8) {
      faults.append("VERSION is not the manifest's app_version")
    }
    if manifest.complete != manifest.skipped.isEmpty {
      faults.append(
        "the manifest contradicts itself: it is \(manifest.complete ? "" : "not ")complete, and skipped \(manifest.skipped.count)"
      )
    }
    let isSound = faults.isEmpty && entries.allSatisfy { $0.fault == nil }
    verdict = isSound ? (manifest.complete ? .whole : .incomplete) : .damaged
  }

  private func compare(_ found: inout Entry, with promised: Manifest.Entry) {
    // A file that is no database to the manifest was taken as it lay there: SQLite's opinion is no more than that.
    if promised.kind == .file, let fault = found.fault, found.sha256 == promised.sha256 {
      found.note = "taken as a plain file; as a database it has a fault: \(fault)"
      found.fault = nil
    }
    guard found.fault == nil else { return }
    let digits = String(crcs[found.path] ?? 0, radix: 16)
    let crc32 = String(repeating: "0", count: 8 - digits.count) + digits
    if found.size != promised.size {
      found.fault = "has \(found.size) bytes, and \(promised.size) in the manifest"
    } else if found.sha256 != promised.sha256 {
      found.fault = "its SHA-256 is not the manifest's"
    } else if crc32 != promised.crc32 {
      found.fault = "its CRC-32 is not the manifest's"
    } else if promised.kind == .database, found.size > 0, !found.isDatabase {
      found.fault = "is a database in the manifest, and none to SQLite"
    } else if let database = promised.database,
      UInt64(max(0, database.pageSize)).multipliedReportingOverflow(by: UInt64(database.pageCount)) != (
        found.size, false
      )
    {
      found.fault = "has not the manifest's number of pages"
    }
  }
}
