<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use MediaWiki\Extension\WebSocket\Relay\RelayReport;
use MediaWikiUnitTestCase;

/**
 * @covers \MediaWiki\Extension\WebSocket\Relay\RelayReport
 */
class RelayReportTest extends MediaWikiUnitTestCase {
	public function testRelayThatKnowsNothing(): void {
		$text = ( new RelayReport() )->format( [], 404 );
		$this->assertMatchesRegularExpression( '/^Connections +0$/m', $text );
		$this->assertMatchesRegularExpression( '/^Origins +none$/m', $text );
		$this->assertMatchesRegularExpression( '/^Refused +nothing$/m', $text );
	}

	public function testMembersOfOtherKindsThanExpected(): void {
		$stats = [ 'wiki' => [ 'a' ], 'origins' => 'b', 'types' => 'c', 'refused' => 7, 'version' => null ];
		$text = ( new RelayReport() )->format( $stats, 304 );
		$this->assertMatchesRegularExpression( '/^Wiki +\?$/m', $text );
		$this->assertMatchesRegularExpression( '/^Declared types +0$/m', $text );
		$this->assertMatchesRegularExpression( '/^Registered +as the wiki is now$/m', $text );
	}

	public static function durations(): array {
		return [ [ 59, '0 min 59 s' ], [ 3599, '59 min 59 s' ], [ 3600, '0 d 1 h 0 min' ], [ 93784, '1 d 2 h 3 min' ] ];
	}

	/**
	 * @dataProvider durations
	 */
	public function testDuration( int $seconds, string $expected ): void {
		$text = ( new RelayReport() )->format( [ 'uptime' => $seconds, 'version' => '1' ], 304 );
		$this->assertMatchesRegularExpression( "/^Relay +version 1, up $expected\$/m", $text );
	}

	public function testTerminalIsNotTakenOver(): void {
		$stats = [ 'types' => [ [ 'pattern' => "a\e[2J\nb\u{202E}c" ] ], 'refused' => [ "x\ny" => 1 ] ];
		$text = ( new RelayReport() )->format( $stats, 304 );
		$this->assertStringContainsString( "\n  a [2J b c: send wiki, read anyone\n", $text );
		$this->assertStringContainsString( 'x y 1', $text );
		$this->assertDoesNotMatchRegularExpression( '/[\x00-\x09\x0b-\x1f]/', $text );
	}
}
