// Names that somebody may give to types, users and members of messages in the hope that they do more than a name should.
export const HOSTILE = [
	'__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', 'then', 'toJSON', 'length', '0',
	'<img src=x onerror=alert(1)>', '</script><script>alert(1)</script>', '"><svg onload=alert(1)>', 'data:,javascript:alert(1)', '{{', '${1}',
	'a\u2028b', 'a\u2029b', '\u202eb', '\ufeffa', 'a\\u0000', '\'"`', '\\', '|', 'a|b', '*', '%00', '\ud83d\ude00'
];
