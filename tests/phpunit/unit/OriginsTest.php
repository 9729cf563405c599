<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use MediaWiki\Extension\WebSocket\Origins;
use MediaWikiUnitTestCase;

/**
 * @covers \MediaWiki\Extension\WebSocket\Origins
 */
class OriginsTest extends MediaWikiUnitTestCase {
	public static function origins(): array {
		return [
			[ 'https://wiki.example', 'https://wiki.example' ],
			[ 'https://wiki.example/', 'https://wiki.example' ],
			[ 'HTTPS://Wiki.Example', 'https://wiki.example' ],
			[ 'https://wiki.example:443', 'https://wiki.example' ],
			[ 'http://wiki.example:80', 'http://wiki.example' ],
			[ 'http://wiki.example:443', 'http://wiki.example:443' ],
			[ 'https://wiki.example:8443', 'https://wiki.example:8443' ],
			[ 'http://127.0.0.1:8080', 'http://127.0.0.1:8080' ],
			[ 'http://[::1]:8080', 'http://[::1]:8080' ],
			[ 'https://bücher.example', 'https://xn--bcher-kva.example' ],
			[ 'https://wiki.example/wiki', null ],
			[ 'https://wiki.example?x', null ],
			[ 'https://wiki.example#x', null ],
			[ 'https://user@wiki.example', null ],
			[ 'https://user:pass@wiki.example', null ],
			[ 'https://wiki.example:0', null ],
			[ 'https://wiki.example:65536', null ],
			[ 'https://wiki.example:', null ],
			[ 'https://*.wiki.example', null ],
			[ "https://wiki.example\n", null ],
			[ 'https://', null ],
			[ 'ftp://wiki.example', null ],
			[ 'wiki.example', null ],
			[ '//wiki.example', null ],
			[ 'null', null ],
			[ '', null ],
		];
	}

	/**
	 * @dataProvider origins
	 */
	public function testNormalize( string $origin, ?string $expected ): void {
		$this->assertSame( $expected, Origins::normalize( $origin ) );
	}

	public function testOfServer(): void {
		$this->assertSame( [ 'https://wiki.example' ], Origins::ofServer( 'https://wiki.example' ) );
		$this->assertSame(
			[ 'https://wiki.example', 'http://wiki.example' ],
			Origins::ofServer( '//wiki.example' ),
			'without a scheme the wiki is read by both'
		);
		$this->assertSame( [], Origins::ofServer( '' ) );
	}
}
