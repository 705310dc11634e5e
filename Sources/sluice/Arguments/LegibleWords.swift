extension [String] {
  /// The values of an option on a command line that is wrong elsewhere.
  func values(of option: String) -> [String] {
    indices.compactMap { index in
      if self[index] == option { return index + 1 < count ? self[index + 1] : nil }
      guard self[index].utf8.starts(with: "\(option)=".utf8) else { return nil }
      return String(self[index].dropFirst(option.count + 1))
    }
  }
}
