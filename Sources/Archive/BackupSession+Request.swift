import System
package import Zip

extension BackupSession {
  /// What one caller asks for beyond the options of the service.
  package struct Request: Sendable {
    /// The databases to take, by their paths in the archive; nil for everything.
    package var databases: [String]?
    /// Overrides the option of the same name.
    package var compression: Compression?
    /// Overrides the option of the same name.
    package var strict: Bool?
    /// Whether the digest of the whole archive is computed, which costs processor time.
    package var digest = false
    /// Whether any of its bytes will be asked for. Nothing is copied else: `next` must not be called then.
    package var needsContent = true
    /// Whether what has been read is held until the end, so that `rewind` is possible.
    package var keepsRewindable = false
    /// By how many bytes a WAL may grow while its database is held only for that, and no checkpoint is kept waiting then; nil
    /// to hold it as any other.
    package var maximumHeldWALGrowth: UInt64?
    /// Whether a history of it is kept, if there is a place for it, so that the next one can be a delta.
    package var keepsHistory = false
    /// What the client has, if it takes a delta.
    package var delta: DeltaRequest?

    /// Makes a request for everything, with the service's own options.
    package init(databases: [String]? = nil, compression: Compression? = nil, strict: Bool? = nil) {
      self.databases = databases
      self.compression = compression
      self.strict = strict
    }
  }

  /// That a client takes a delta.
  package struct DeltaRequest: Sendable {
    /// The opaque tags of archives that the client has.
    package var bases: [String]
    /// Whether the delta may be compressed, as a gzip file.
    package var isGzipped: Bool
    /// Whether the digests of the archive and of the delta are computed.
    package var digest: Bool

    package init(bases: [String], isGzipped: Bool, digest: Bool) {
      self.bases = bases
      self.isGzipped = isGzipped
      self.digest = digest
    }
  }

  /// That the client gets a delta instead of the archive.
  package struct Delta: Sendable, Equatable {
    /// The opaque tag of the archive that the client has.
    package let base: String
    package let isGzipped: Bool

    package init(base: String, isGzipped: Bool) {
      self.base = base
      self.isGzipped = isGzipped
    }
  }

  /// What is known of an archive before its first byte.
  package struct Preamble: Sendable {
    /// `<name>-backup-<UTC date>.zip`.
    package let fileName: String
    /// `<name>-backup-<UTC date>T<time>Z.zip`, which a second archive of the same day does not have.
    package let timedFileName: String
    /// In bytes; nil when only compressing will tell.
    package let archiveSize: UInt64?
    /// The bytes that go in, uncompressed, without the manifest.
    package let contentSize: UInt64
    /// The databases that go in, by their paths in the archive.
    package let databases: [String]
    /// The time between the first snapshot and the last, in milliseconds.
    package let snapshotSkewMilliseconds: Double
    /// What could not be taken.
    package let skipped: [Skipped]
    /// 128 bits in hexadecimal that tell the state of all that goes in from every other: see `StateTag`.
    package let state: String
    /// 128 bits in hexadecimal that no other archive has, and that no client can guess.
    package let id: String
    /// What `next` returns instead of the archive's own bytes; nil if it returns these.
    package let delta: Delta?

    /// How many databases go in.
    package var databaseCount: Int { databases.count }
  }
}
