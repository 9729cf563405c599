<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket\Tests\Unit;

use BagOStuff;
use EmptyBagOStuff;
use HashBagOStuff;
use MediaWiki\Extension\WebSocket\Relay\Cooldown;
use MediaWiki\Extension\WebSocket\Tests\FakeRelay;
use MediaWikiUnitTestCase;

/**
 * @covers \MediaWiki\Extension\WebSocket\Relay\Cooldown
 */
class CooldownTest extends MediaWikiUnitTestCase {
	private string $directory;

	protected function setUp(): void {
		parent::setUp();
		$this->directory = FakeRelay::newDirectory();
	}

	protected function tearDown(): void {
		FakeRelay::removeDirectory( $this->directory );
		parent::tearDown();
	}

	private function lastingCache(): BagOStuff {
		return new class extends HashBagOStuff {
			public function getQoS( $flag ) {
				return $flag === self::ATTR_DURABILITY ? self::QOS_DURABILITY_SERVICE : parent::getQoS( $flag );
			}
		};
	}

	public function testCacheCarriesItToTheNextRequest(): void {
		$cache = $this->lastingCache();
		( new Cooldown( $cache, $this->directory, "{$this->directory}/x" ) )->start( 'a', 60 );
		$next = new Cooldown( $cache, $this->directory, "{$this->directory}/x" );
		$this->assertTrue( $next->isActive( 'a' ) );
		$this->assertFalse( $next->isActive( 'b' ) );
		$this->assertSame( [], glob( "{$this->directory}/*" ), 'no file where there is a cache' );
	}

	public static function shortLivedCaches(): array {
		return [ 'none' => [ new EmptyBagOStuff() ], 'of the process' => [ new HashBagOStuff() ] ];
	}

	/**
	 * @dataProvider shortLivedCaches
	 */
	public function testFileCarriesItWhereThereIsNoCache( BagOStuff $cache ): void {
		( new Cooldown( $cache, $this->directory, "{$this->directory}/x" ) )->start( 'a', 60 );
		$next = new Cooldown( new EmptyBagOStuff(), $this->directory, "{$this->directory}/x" );
		$this->assertTrue( $next->isActive( 'a' ) );
		$this->assertFalse( $next->isActive( 'b' ) );
		touch( "{$this->directory}/cooldown-a", time() - 1 );
		$this->assertFalse( $next->isActive( 'a' ), 'it is over' );
	}

	public function testFallsBackWhenTheFolderIsNotThere(): void {
		$missing = "{$this->directory}/missing";
		( new Cooldown( new EmptyBagOStuff(), $missing, "{$this->directory}/x" ) )->start( 'a', 60 );
		$this->assertFileExists( "{$this->directory}/x-a" );
		$this->assertTrue( ( new Cooldown( new EmptyBagOStuff(), null, "{$this->directory}/x" ) )->isActive( 'a' ) );
	}

	public function testLastsInThisProcessWhenNothingCanBeWritten(): void {
		$cooldown = new Cooldown( new EmptyBagOStuff(), null, "{$this->directory}/missing/x" );
		$this->assertTrue( $cooldown->enter( 'a', 60 ) );
		$this->assertFalse( $cooldown->enter( 'a', 60 ) );
		$this->assertTrue( $cooldown->enter( 'b', 60 ) );
	}
}
