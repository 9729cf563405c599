<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use InvalidArgumentException;
use MediaWiki\Extension\WebSocket\EnvelopeEncoder;
use MediaWikiUnitTestCase;

/**
 * @covers \MediaWiki\Extension\WebSocket\EnvelopeEncoder
 */
class EnvelopeEncoderTest extends MediaWikiUnitTestCase {
	private function encode( $type, $msg = 'm', ?string $from = null, $to = false, ?string $actor = null ): array {
		return array_map(
			static fn ( $envelope ) => $envelope->json,
			( new EnvelopeEncoder() )->encode( $type, $msg, $from, $to, $actor )
		);
	}

	/** @return string[] */
	private function withoutKeys( array $envelopes ): array {
		return preg_replace( '/,"key":"[A-Za-z0-9_-]{22}"\}$/D', '}', $envelopes, -1, $count );
	}

	public static function nested( int $depth ): array {
		return $depth === 1 ? [] : [ self::nested( $depth - 1 ) ];
	}

	public static function messages(): array {
		return [
			'string' => [ 'Zoë/漢', '"Zoë/漢"' ],
			'null' => [ null, 'null' ],
			'number' => [ 1.5, '1.5' ],
			'false' => [ false, 'false' ],
			'list of objects' => [ [ [ 'id' => 1 ], [ 'id' => 2 ] ], '[{"id":1},{"id":2}]' ],
			'nested 31 deep' => [ self::nested( 31 ), str_repeat( '[', 31 ) . str_repeat( ']', 31 ) ],
		];
	}

	/**
	 * @dataProvider messages
	 */
	public function testMessage( $msg, string $json ): void {
		$expected = [ '{"type":"T","msg":' . $json . ',"from":"WS1"}' ];
		$this->assertSame( $expected, $this->withoutKeys( $this->encode( 'T', $msg, 'WS1' ) ) );
		$wrapped = ( new EnvelopeEncoder() )->wrap( 'T', $json, 'WS1', '' );
		$this->assertSame( $expected, $this->withoutKeys( [ $wrapped[0]->json ] ), 'the same as JSON' );
	}

	public function testActor(): void {
		$expected = '{"type":"T","msg":"","from":"WS1","actor":"Zoë \\"Z\\""}';
		$this->assertSame( [ $expected ], $this->withoutKeys( $this->encode( 'T', '', 'WS1', false, 'Zoë "Z"' ) ) );
		$nobody = $this->encode( 'T', '', null, false, 'Zoë' );
		$this->assertSame( [ '{"type":"T","msg":""}' ], $this->withoutKeys( $nobody ) );
	}

	public function testEachMessageHasAKeyOfItsOwn(): void {
		$ids = array_map( static fn ( $i ) => "WS$i", range( 1, 129 ) );
		$keys = [];
		$all = [ ...$this->encode( 'T' ), ...$this->encode( 'T' ), ...$this->encode( 'T', 'm', null, $ids ) ];
		foreach ( $all as $json ) {
			$keys[] = json_decode( $json, true )['key'];
		}
		$this->assertCount( 4, array_unique( $keys ) );
		$this->assertSame( $keys, preg_grep( '/^[A-Za-z0-9_.:-]{1,64}$/D', $keys ) );
	}

	public function testMessageThatIsJsonStaysAsItIs(): void {
		$json = '{"a": 1.0, "b":[ ], "c":{}, "d":"\\u00e4"}';
		[ $envelope ] = ( new EnvelopeEncoder() )->wrap( 'T', $json, 'WS1', [ 'WS2' ] );
		$this->assertStringContainsString( '"msg":' . $json . ',', $envelope->json );
		$this->assertSame( [ 'T', $json, 'WS1', [ 'WS2' ] ], [
			$envelope->type, $envelope->msg, $envelope->from, $envelope->to
		] );
	}

	public static function notJson(): array {
		return [
			[ '' ],
			[ '{"a":1}}' ],
			[ '1,"wiki":true' ],
			[ "\xff" ],
			[ str_repeat( '[', 32 ) . str_repeat( ']', 32 ) ],
		];
	}

	/**
	 * @dataProvider notJson
	 */
	public function testMessageThatIsNotJsonForgesNothing( string $json ): void {
		$this->expectException( InvalidArgumentException::class );
		( new EnvelopeEncoder() )->wrap( 'T', $json, 'WS1', '' );
	}

	public static function recipients(): array {
		return [
			'false' => [ false, null ],
			'null' => [ null, null ],
			'nothing' => [ '', null ],
			'zero' => [ 0, null ],
			'zero as text' => [ '0', null ],
			'none' => [ [], null ],
			'list of zero' => [ [ 0 ], null ],
			'one' => [ 'WS1', [ 'WS1' ] ],
			'comma separated' => [ 'WS1, WS2,,WS1', [ 'WS1', 'WS2' ] ],
			'list' => [ [ 'WS1', 'WS2' ], [ 'WS1', 'WS2' ] ],
			'map' => [ [ 'a' => 'WS1' ], [ 'WS1' ] ],
			'number' => [ 1, [ '1' ] ],
			'list of numbers' => [ [ 1, 2 ], [ '1', '2' ] ],
		];
	}

	/**
	 * @dataProvider recipients
	 */
	public function testRecipients( $to, ?array $expected ): void {
		$envelopes = $this->encode( 'T', 'm', null, $to );
		$this->assertCount( 1, $envelopes );
		$this->assertSame( $expected, json_decode( $envelopes[0], true )['to'] ?? null );
	}

	public function testManyRecipientsTakeSeveralMessages(): void {
		$ids = array_map( static fn ( $i ) => "WS$i", range( 1, 129 ) );
		$this->assertCount( 1, $this->encode( 'T', 'm', null, array_slice( $ids, 0, 128 ) ) );
		$envelopes = $this->encode( 'T', 'm', null, $ids );
		$this->assertCount( 2, $envelopes );
		$told = array_map( static fn ( $json ) => json_decode( $json, true )['to'], $envelopes );
		$this->assertSame( $ids, array_merge( ...$told ) );
	}

	public function testLongestType(): void {
		$type = str_repeat( 'ä', 127 ) . 'x';
		$this->assertSame( $type, json_decode( $this->encode( $type )[0], true )['type'] );
	}

	public function testLargestMessage(): void {
		$encoder = new EnvelopeEncoder();
		$room = EnvelopeEncoder::BODY_BYTES - strlen( $encoder->body( $this->encode( 'T', '' ) ) );
		$body = $encoder->body( $this->encode( 'T', str_repeat( 'x', $room ) ) );
		$this->assertSame( EnvelopeEncoder::BODY_BYTES, strlen( $body ) );
		$this->expectException( InvalidArgumentException::class );
		$encoder->encode( 'T', str_repeat( 'x', $room + 1 ), null, false );
	}

	public static function refused(): array {
		return [
			'type empty' => [ '', 'm' ],
			'type not a string' => [ 5, 'm' ],
			'type missing' => [ null, 'm' ],
			'type of 256 bytes' => [ str_repeat( 'ä', 128 ), 'm' ],
			'type not UTF-8' => [ "\xff", 'm' ],
			'type with a newline' => [ "a\nb", 'm' ],
			'type with a C1 control character' => [ "a\u{0085}", 'm' ],
			'message not UTF-8' => [ 'T', "\xff" ],
			'message not a number' => [ 'T', NAN ],
			'message nested 32 deep' => [ 'T', self::nested( 32 ) ],
			'message a resource' => [ 'T', STDIN ],
			'sender of 65 bytes' => [ 'T', 'm', str_repeat( 'a', 65 ) ],
			'sender empty' => [ 'T', 'm', '' ],
			'recipient with a space' => [ 'T', 'm', null, [ 'WS 1' ] ],
			'one bad recipient of two' => [ 'T', 'm', null, [ 'WS1', 'ä' ] ],
			'recipient a list' => [ 'T', 'm', null, [ [ 'WS1' ] ] ],
			'everyone by mistake' => [ 'T', 'm', null, true ],
		];
	}

	/**
	 * @dataProvider refused
	 */
	public function testRefuses( $type, $msg, ?string $from = null, $to = false ): void {
		$this->expectException( InvalidArgumentException::class );
		$this->encode( $type, $msg, $from, $to );
	}
}
