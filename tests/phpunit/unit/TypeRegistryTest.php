<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use MediaWiki\Extension\WebSocket\Tests\Fixtures;
use MediaWiki\Extension\WebSocket\TroubleLog;
use MediaWiki\Extension\WebSocket\Types\TypeRegistry;
use MediaWikiUnitTestCase;
use stdClass;

/**
 * What good and bad declarations become is in relay/wire/testdata/registration.json, which RegistrarTest reads.
 *
 * @covers \MediaWiki\Extension\WebSocket\Types\Declaration
 * @covers \MediaWiki\Extension\WebSocket\Types\Pattern
 * @covers \MediaWiki\Extension\WebSocket\Types\TypeMatch
 * @covers \MediaWiki\Extension\WebSocket\Types\TypeRegistry
 */
class TypeRegistryTest extends MediaWikiUnitTestCase {
	private const DENIED = [ 'wiki', 'right:websocket-admin', false, false ];

	/** @var string[] */
	private array $logged = [];

	private function types( array $attribute, array $values = [] ): TypeRegistry {
		$log = $this->createMock( TroubleLog::class );
		$log->method( 'error' )->willReturnCallback( function ( $message, $problem ) {
			$this->logged[] = $problem;
		} );
		return Fixtures::types( $values, $attribute, $log );
	}

	/** @return array|null Send, read, token and presence of the policy for a pattern */
	private function policy( TypeRegistry $types, string $pattern ): ?array {
		foreach ( $types->policies() as $policy ) {
			if ( $policy['pattern'] === $pattern ) {
				return [ $policy['send'], $policy['read'], $policy['token'], $policy['presence'] ];
			}
		}
		return null;
	}

	public function testReadsNothingBeforeSomebodyAsks(): void {
		$count = 0;
		$types = new TypeRegistry(
			Fixtures::wiki(),
			Fixtures::settings(),
			$this->createMock( TroubleLog::class ),
			static function () use ( &$count ) {
				$count++;
				return [];
			}
		);
		$this->assertSame( 0, $count );
		$types->policies();
		$types->rights();
		$types->match( 'mydb:Foo' );
		$this->assertSame( 1, $count );
	}

	public function testEqualDeclarationsGiveEqualBytes(): void {
		$a = [ 'B*' => [ 'read' => 'user', 'send' => 'user' ], 'A' => [], '10' => [], '9' => [] ];
		$b = [ '9' => [], 'A' => [], '10' => [ 'token' => false ], 'B*' => [ 'send' => 'user', 'read' => 'user' ] ];
		$this->assertSame(
			json_encode( $this->types( $a )->policies() ),
			json_encode( $this->types( $b )->policies() )
		);
		$this->assertSame(
			[ 'mydb:10', 'mydb:9', 'mydb:@changes', 'mydb:@page/*', 'mydb:A', 'mydb:B*' ],
			array_column( $this->types( $a )->policies(), 'pattern' )
		);
		$this->assertSame( [], $this->logged );
	}

	public function testRightsThatPoliciesAskFor(): void {
		$types = $this->types( [
			'A' => [ 'send' => 'patrol' ],
			'B' => [ 'read' => 'delete', 'send' => 'patrol' ],
			'C' => [ 'read' => 'user', 'send' => 'anyone' ],
		] );
		$this->assertSame( [ 'delete', 'patrol' ], $types->rights() );
		$this->assertSame( [], $this->types( [] )->rights() );
		$this->assertSame( [ 'websocket-admin' ], $this->types( [], [ 'WebSocketPerPageRead' => true ] )->rights() );
	}

	public static function hostileDeclarations(): array {
		$deep = [];
		for ( $i = 0; $i < 100; $i++ ) {
			$deep = [ 'send' => $deep ];
		}
		return [
			'null' => [ null ],
			'number' => [ 1.5 ],
			'text' => [ 'anyone' ],
			'object' => [ new stdClass() ],
			'function' => [ static fn () => 'anyone' ],
			'list' => [ [ 'anyone' ] ],
			'nested' => [ $deep ],
			'merged from two extensions' => [ [ 'send' => [ 'anyone', 'wiki' ] ] ],
			'nobody may read' => [ [ 'read' => 'wiki' ] ],
			'nothing may read' => [ [ 'read' => '' ] ],
			'null may send' => [ [ 'send' => null ] ],
			'everybody in capital letters' => [ [ 'send' => 'Any one' ] ],
			'right of 65 bytes' => [ [ 'read' => str_repeat( 'r', 65 ) ] ],
			'right with a line feed' => [ [ 'read' => "edit\n" ] ],
			'token that is 1' => [ [ 'token' => 1 ] ],
			'presence that is null' => [ [ 'presence' => null ] ],
			'shared that is text' => [ [ 'shared' => 'no' ] ],
			'history that is text' => [ [ 'history' => '10' ] ],
			'history below nothing' => [ [ 'history' => -1 ] ],
			'history for too long' => [ [ 'history' => [ 'count' => 1, 'seconds' => 2592001 ] ] ],
			'history without messages' => [ [ 'history' => [ 'seconds' => 1 ] ] ],
			'history with more' => [ [ 'history' => [ 'count' => 1, 'seconds' => 1, 'bytes' => 1 ] ] ],
			'history that is an object' => [ [ 'history' => new stdClass() ] ],
			'prototype' => [ [ '__proto__' => [ 'send' => 'anyone' ] ] ],
		];
	}

	/**
	 * @dataProvider hostileDeclarations
	 */
	public function testBadDeclarationOpensATypeToEverybody( $declaration ): void {
		$types = $this->types( [ 'Foo' => $declaration ] );
		$this->assertSame( self::DENIED, $this->policy( $types, 'mydb:Foo' ) );
		$this->assertCount( 1, $this->logged );
		$this->assertStringContainsString( 'an extension declares the type "Foo", but ', $this->logged[0] );
		$this->assertTrue( $types->isOpen(), 'other types are as they were' );
		$types = $this->types( [], [ 'WebSocketTypes' => [ 'Foo' => $declaration ] ] );
		$this->assertSame( self::DENIED, $this->policy( $types, 'mydb:Foo' ) );
		$this->assertStringContainsString( '$wgWebSocketTypes has the type "Foo", but ', $this->logged[1] );
	}

	public static function limits(): array {
		return [
			[ [ 'read' => str_repeat( 'r', 64 ) ] ],
			[ [ 'history' => 10000 ] ],
			[ [ 'history' => 0 ] ],
			[ [ 'history' => [ 'count' => 10000, 'seconds' => 2592000 ] ] ],
			[ [ 'history' => [ 'seconds' => 1, 'count' => 1 ] ] ],
			[ [ 'history' => [ 'seconds' => 0, 'count' => 0 ] ] ],
		];
	}

	/**
	 * @dataProvider limits
	 */
	public function testGoodUpToTheLimits( array $declaration ): void {
		$this->assertNotSame( self::DENIED, $this->policy( $this->types( [ 'Foo' => $declaration ] ), 'mydb:Foo' ) );
		$this->assertSame( [], $this->logged );
	}

	public static function hostilePatterns(): array {
		return [
			'empty' => [ '', null ],
			'line feed' => [ "Foo\nBar", null ],
			'nothing but NUL' => [ "\0", null ],
			'no UTF-8' => [ "Foo\xff*", null ],
			'300 bytes' => [ str_repeat( 'x', 300 ), null ],
			'254 bytes and a wiki id' => [ str_repeat( 'x', 254 ) . '*', null ],
			'two wildcards' => [ 'Foo*Bar*', 'mydb:Foo*' ],
			'wildcard and page' => [ '*/{page}', 'mydb:*' ],
			'page in braces' => [ 'Foo{{page}}Bar', 'mydb:Foo*Bar' ],
			'half a placeholder' => [ 'Foo{page', 'mydb:Foo*' ],
			'placeholder upside down' => [ 'Foo}page{x', 'mydb:Foo*' ],
			'own wiki id' => [ 'mydb:Foo*', 'mydb:Foo*' ],
			'own wiki id alone' => [ 'mydb:', null ],
		];
	}

	/**
	 * @dataProvider hostilePatterns
	 */
	public function testBadPatternOpensTypesToEverybody( string $text, ?string $denied ): void {
		$types = $this->types( [ $text => [ 'send' => 'anyone' ] ] );
		$types->policies();
		$this->assertCount( 1, $this->logged );
		$this->assertMatchesRegularExpression( '/^[\x20-\x7e]{1,500}$/D', $this->logged[0], 'one line' );
		$patterns = array_diff(
			array_column( $types->policies(), 'pattern' ),
			[ 'mydb:@changes', 'mydb:@page/*' ]
		);
		$this->assertSame( $denied === null ? [] : [ $denied ], array_values( $patterns ) );
		if ( $denied !== null ) {
			$this->assertSame( self::DENIED, $this->policy( $types, $denied ) );
		}
	}

	public function testForeignWikisTypesAreClaimed(): void {
		$types = $this->types( [ 'other:Foo' => [ 'send' => 'anyone' ], 'other:*' => [ 'shared' => true ] ] );
		foreach ( $types->policies() as $policy ) {
			$this->assertStringStartsWith( 'mydb:', $policy['pattern'] );
		}
		$this->assertNull( $types->match( 'other:Foo' ) );
		$this->assertSame( 'other:Foo', $types->match( 'mydb:other:Foo' )->name );
	}

	public function testSharedPatternCoversTypesOfOtherWikis(): void {
		$types = $this->types( [ 'Foo*' => [ 'shared' => true, 'token' => true ] ] );
		$this->assertTrue( $types->match( 'Foox' )->declaration->needsToken );
		$this->assertNull( $types->match( 'Foodb:x' ), 'a wiki may have that id' );
		$this->assertNull( $types->match( 'Bar' ) );
		$this->assertSame( [], $this->logged );
	}

	public function testSharedTypesOfAPage(): void {
		$types = $this->types( [
			'Talk{page}' => [ 'shared' => true, 'token' => true ],
			'Open{page}' => [ 'shared' => true ],
			'Own{page}' => [ 'token' => true ],
			'Talk8' => [ 'token' => true ],
		], [ 'WebSocketPerPageRead' => true ] );
		$this->assertSame( [ 'mydb:@page/7', 'mydb:Own7', 'mydb:Talk7', 'Talk7' ], $types->typesOfPage( 7 ) );
		$this->assertSame( [ 'mydb:@page/8', 'mydb:Own8', 'mydb:Talk8' ], $types->typesOfPage( 8 ), 'nobody has one' );
		$this->assertSame( [], $this->logged );
	}

	public function testSpellings(): void {
		$types = $this->types( [ 'Foo*' => [ 'shared' => true, 'token' => true ] ] );
		$this->assertSame( [ 'mydb:Foox', 'Foox' ], $types->spellings( 'Foox' ) );
		$this->assertSame( [ 'mydb:Foox', 'Foox' ], $types->spellings( 'mydb:Foox' ) );
		$this->assertSame( [ 'mydb:Foodb:x' ], $types->spellings( 'Foodb:x' ), 'a wiki may have that id' );
		$this->assertSame( [ 'mydb:Bar' ], $types->spellings( 'Bar' ) );
	}

	public function testBadDeclarationOfTheAdministratorLeavesTheExtensionsOneInForce(): void {
		$types = $this->types( [ 'Foo' => [ 'send' => 'anyone' ] ], [ 'WebSocketTypes' => [ 'Foo' => 'closed' ] ] );
		$this->assertSame( self::DENIED, $this->policy( $types, 'mydb:Foo' ) );
	}

	public function testAsManyPoliciesAsTheRelayTakes(): void {
		$declared = [];
		for ( $i = 0; $i < 498; $i++ ) {
			$declared["T$i"] = [ 'send' => 'anyone' ];
		}
		$types = $this->types( $declared );
		$this->assertCount( 500, $types->policies() );
		$this->assertTrue( $types->isOpen() );
		$this->assertSame( [], $this->logged );

		$types = $this->types( $declared + [ 'T0/secret' => [ 'read' => 'user' ] ] );
		$this->assertSame( [ 'mydb:*' ], array_column( $types->policies(), 'pattern' ) );
		$this->assertSame( self::DENIED, $this->policy( $types, 'mydb:*' ) );
		$this->assertFalse( $types->isOpen(), 'no type that is declared becomes open because there are too many' );
		$this->assertStringContainsString( 'at most 500', $this->logged[0] );
	}

	public function testPoliciesThatTheRelayRefusesForTheirSize(): void {
		$declared = [];
		for ( $i = 0; $i < 400; $i++ ) {
			$declared[ str_repeat( '"', 240 ) . $i ] = [];
		}
		$types = $this->types( $declared );
		$this->assertSame( [ 'mydb:*' ], array_column( $types->policies(), 'pattern' ) );
		$this->assertLessThan( 256 * 1024, strlen( json_encode( $types->policies() ) ) );
		$types = $this->types( array_slice( $declared, 0, 300 ) );
		$this->assertCount( 302, $types->policies() );
	}

	public function testAsManyRightsAsATokenHolds(): void {
		$declared = [];
		for ( $i = 0; $i < TypeRegistry::MAX_RIGHTS; $i++ ) {
			$declared[sprintf( 'T%02d', $i )] = [ 'send' => "right$i" ];
		}
		$this->assertCount( TypeRegistry::MAX_RIGHTS, $this->types( $declared )->rights() );
		$this->assertSame( [], $this->logged );
		$types = $this->types( $declared + [ 'Z' => [ 'read' => 'one-more' ], 'ZZ' => [ 'read' => 'right0' ] ] );
		$this->assertSame( self::DENIED, $this->policy( $types, 'mydb:Z' ) );
		$this->assertSame( 'right:right0', $this->policy( $types, 'mydb:ZZ' )[1] );
		$this->assertNotContains( 'one-more', $types->rights() );
		$this->assertStringContainsString( '"Z" needs one more user right', $this->logged[0] );
	}

	public function testManyProblemsFloodTheLog(): void {
		$this->types( array_fill_keys( range( 1, 400 ), 'bad' ) )->policies();
		$this->assertCount( 1, $this->logged );
		$this->assertLessThan( 4000, strlen( $this->logged[0] ) );
		$this->assertStringContainsString( 'and 390 more', $this->logged[0] );
	}

	public static function pageTypes(): array {
		return [
			[ 'mydb:@page/1', 1 ],
			[ 'mydb:@page/9999999999', 9999999999 ],
			[ 'mydb:@page/10000000000', 0 ],
			[ 'mydb:@page/0', 0 ],
			[ 'mydb:@page/01', 0 ],
			[ 'mydb:@page/+1', 0 ],
			[ 'mydb:@page/1e3', 0 ],
			[ 'mydb:@page/1/2', 0 ],
			[ "mydb:@page/1\n", 0 ],
			[ 'mydb:@page/١', 0 ],
			[ 'mydb:@changes', 0 ],
		];
	}

	/**
	 * @dataProvider pageTypes
	 */
	public function testPageOfAType( string $type, int $expected ): void {
		$this->assertSame( $expected, $this->types( [] )->match( $type )->pageId() );
	}
}
