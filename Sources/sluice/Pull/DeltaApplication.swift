import Delta
import Pull
import System
import Zip

/// Makes the archive out of the last one while its delta arrives: `archive` in the folder of the pull, of `body`.
///
/// The last archive is only read. Nothing is judged here before all has come.
final class DeltaApplication {
  /// In bytes, of a delta that is not compressed.
  private static let pieceSize = 256 << 10
  /// At most so many pieces at a time, so that the child that brings them is looked after.
  private static let piecesPerLook = 8

  /// A delta that was begun with.
  private final class Work {
    let form: DeltaForm
    /// A request that begins from the first byte has another file.
    let body: FileSystem.Identity
    let source: Descriptor
    let target: Descriptor
    let next: (_ grows: Bool) throws -> [UInt8]?
    var decoder = VCDIFFDecoder()

    init(_ form: DeltaForm, of base: String, _ work: PullWork) throws {
      let path = BytePath(work.file("body"))
      self.form = form
      body = try FileSystem.status(path).identity
      source = try FileSystem.openFile(BytePath(base))
      target = try work.makeFile("archive")
      if form.isGzipped {
        let gzip = try GzipReader(FileSystem.openFile(path))
        next = { try gzip.next(grows: $0) }
      } else {
        let file = try FileSystem.openFile(path)
        next = { _ in
          let piece = try SystemCalls.readSome(file.rawValue, pieceSize) ?? []
          return piece.isEmpty ? nil : piece
        }
      }
    }

    /// - Returns: whether there may be more.
    func advance(grows: Bool) throws -> Bool {
      guard let piece = try next(grows), !piece.isEmpty else { return false }
      try decoder.append(piece, from: source, into: target)
      return true
    }
  }

  private let base: String
  private let work: PullWork
  private let isInterrupted: () -> Bool
  private var current: Work?
  private var hasFailed = false

  /// - Parameter base: the path of the last archive.
  init(to base: String, _ work: PullWork, isInterrupted: @escaping () -> Bool) {
    self.base = base
    self.work = work
    self.isInterrupted = isInterrupted
  }

  /// Goes on with what has come so far. What is wrong with it is found once more by `finish`.
  func advance() {
    guard !hasFailed else { return }
    do {
      guard let current = try current ?? begin(), isOfBody(current) else {
        self.current = nil
        return
      }
      self.current = current
      for _ in 0..<Self.piecesPerLook { guard try current.advance(grows: true) else { break } }
    } catch {
      (current, hasFailed) = (nil, true)
    }
  }

  private func begin() throws -> Work? {
    guard let head = AnswerHead(work.beginning(of: "head")), head.status == 226,
      let form = head.deltaForm, work.size("body") > 0
    else { return nil }
    return try Work(form, of: base, work)
  }

  private func isOfBody(_ work: Work) -> Bool {
    (try? FileSystem.status(self.work.file("body")).identity) == work.body
  }

  /// Makes the rest.
  ///
  /// - Throws: `VCDIFFDecoder.Fault`, `GzipReader.Fault`; `SystemError`; `PullInterruption`.
  func finish(_ form: DeltaForm) throws {
    let current =
      if let current, current.form == form, isOfBody(current) { current } else {
        try Work(form, of: base, work)
      }
    while try current.advance(grows: false) { if isInterrupted() { throw PullInterruption() } }
    try current.decoder.finish()
  }
}
