import Archive
import System

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
    var promised: [[UInt8]: Manifest.Entry] = [:]
    for entry in manifest.entries {
      if promised.updateValue(entry, forKey: entry.path.bytes) != nil {
        faults.append("the manifest has \(printable(entry.path)) twice")
      }
    }
    for index in entries.indices where entries[index].path != "MANIFEST.json" {
      guard let entry = promised.removeValue(forKey: entries[index].path.bytes) else {
        entries[index].fault = entries[index].fault ?? "the manifest has no such entry"
        continue
      }
      compare(&entries[index], with: entry)
    }
    for path in promised.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      faults.append("\(printable(String(decoding: path, as: UTF8.self))): is missing")
    }
    faults += manifest.faults(version: contents["VERSION"])
    let isSound = faults.isEmpty && entries.allSatisfy { $0.fault == nil }
    let isFinished = entries.allSatisfy { $0.notFinished == nil }
    verdict = isSound ? isFinished ? manifest.complete ? .whole : .incomplete : .unfinished : .damaged
  }

  private func compare(_ found: inout Entry, with promised: Manifest.Entry) {
    // A file that is no database to the manifest was taken as it lay there: SQLite's opinion is no more than that.
    if promised.kind == .file, let fault = found.fault, found.sha256 == promised.sha256 {
      found.note = "taken as a plain file; as a database it has a fault: \(fault)"
      found.fault = nil
    }
    if promised.kind == .file, let reason = found.notFinished, found.sha256 == promised.sha256 {
      found.note = "taken as a plain file; as a database it is not known to be whole: \(reason)"
      found.notFinished = nil
    }
    guard found.fault == nil else { return }
    found.fault = promised.fault(size: found.size, sha256: found.sha256, crc32: found.crc32)
    if found.fault == nil, promised.kind == .database, found.size > 0, !found.isDatabase {
      found.fault = "is a database in the manifest, and none to SQLite"
    }
  }
}
