extension String {
  /// What a path is looked up by and compared as: by its bytes it names a file. To Swift two strings are equal that look
  /// the same, as an accent does that is written in two ways, and they may name two files.
  package var bytes: [UInt8] { Array(utf8) }
}
