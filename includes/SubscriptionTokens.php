<?php

declare( strict_types = 1 );

namespace MediaWiki\Extension\WebSocket;

use MediaWiki\Extension\WebSocket\Hook\HookRunner;
use MediaWiki\Extension\WebSocket\Types\Declaration;
use MediaWiki\Extension\WebSocket\Types\Pattern;
use MediaWiki\Extension\WebSocket\Types\TypeMatch;
use MediaWiki\Extension\WebSocket\Types\TypeRegistry;
use MediaWiki\Page\PageRecord;
use MediaWiki\Page\PageStore;
use MediaWiki\Permissions\Authority;
use RuntimeException;
use WebRequest;

/**
 * Tokens for the types that not everybody who is connected may subscribe to.
 */
class SubscriptionTokens {
	/** Types that may be asked for at once */
	public const MAX_TYPES = 50;

	public function __construct(
		private readonly WikiIdentity $wiki,
		private readonly TokenMinter $minter,
		private readonly ConnectTokens $connectTokens,
		private readonly TypeRegistry $types,
		private readonly PageStore $pages,
		private readonly HookRunner $hooks
	) {
	}

	/**
	 * @param Authority $authority Who wants to subscribe
	 * @param WebRequest $request Its session is named in the tokens
	 * @param string[] $types As they are subscribed to, with the wiki id; at most MAX_TYPES, the caller sees to that
	 * @return array{tokens:array[],refused:array[]} tokens: { type, token, expires }, expires in Unix time; refused:
	 *   { type, code, message }, where code is "forbidden" or "bad-request"; each type in one of them, once
	 * @throws RuntimeException When the wiki has no key
	 */
	public function issue( Authority $authority, WebRequest $request, array $types ): array {
		$name = ConnectTokens::userName( $authority );
		$sid = $this->connectTokens->sessionName( $authority, $request );
		$types = array_values( array_unique( $types, SORT_STRING ) );
		$refusals = $this->refusals( $authority, $types );
		$answer = [ 'tokens' => [], 'refused' => [] ];
		foreach ( $types as $type ) {
			$refusal = $refusals[$type] ?? null;
			if ( $refusal === null ) {
				$answer['tokens'][] = [ 'type' => $type ] + $this->minter->subscribeToken( $name, $sid, $type );
			} else {
				// It may be no UTF-8.
				$answer['refused'][] = [ 'type' => mb_scrub( $type, 'UTF-8' ) ] + $refusal;
			}
		}
		return $answer;
	}

	/**
	 * Whom issue() would refuse a token.
	 *
	 * @param Authority $authority
	 * @param string[] $types Types that need a token
	 * @return array<string,array{code:string,message:string}> Why, by type
	 */
	public function refusals( Authority $authority, array $types ): array {
		$wanted = array_map( [ $this->types, 'match' ], $types );
		$pages = $this->pages( $wanted );
		$refusals = [];
		foreach ( $types as $i => $type ) {
			$refusal = $this->badRequest( $type, $wanted[$i] ) ?? $this->refusal( $authority, $wanted[$i], $pages );
			if ( $refusal !== null ) {
				$refusals[$type] = $refusal;
			}
		}
		return $refusals;
	}

	/**
	 * @param array<?TypeMatch> $wanted
	 * @return PageRecord[] Those that there are, by id
	 */
	private function pages( array $wanted ): array {
		$ids = array_filter( array_map( static fn ( ?TypeMatch $match ): int => $match?->pageId() ?? 0, $wanted ) );
		return $ids
			? $this->pages->newSelectQueryBuilder()->wherePageIds( array_values( array_unique( $ids ) ) )
				->caller( __METHOD__ )->fetchPageRecordArray()
			: [];
	}

	/** @return array{code:string,message:string}|null null: there can be such a type, and it needs a token */
	private function badRequest( string $type, ?TypeMatch $match ): ?array {
		$problem = Pattern::typeProblem( $type );
		$message = match ( true ) {
			$problem !== null => "this cannot be a type: $problem",
			$match === null => "the type does not belong to this wiki, whose types begin with {$this->wiki->id}",
			!$match->declaration?->needsToken => 'the type needs no subscription token: subscribe without one',
			$match->valueOf( Pattern::PAGE ) !== null && $match->pageId() === 0 =>
				'the type needs the id of a page in the place of {page}',
			default => null,
		};
		return $message === null ? null : [ 'code' => 'bad-request', 'message' => $message ];
	}

	/**
	 * @param Authority $authority
	 * @param TypeMatch $match One whose declaration asks for a token
	 * @param PageRecord[] $pages By id
	 * @return array{code:string,message:string}|null null: he may subscribe
	 */
	private function refusal( Authority $authority, TypeMatch $match, array $pages ): ?array {
		$declaration = $match->declaration;
		$right = $declaration->readRight();
		$isUser = $authority->getUser()->isRegistered();
		$owner = $match->valueOf( Pattern::USER );
		$page = $pages[$match->pageId()] ?? null;
		$message = match ( true ) {
			!$authority->isAllowed( 'read' ) => 'you may not read this wiki',
			$right !== null && !$authority->isAllowed( $right ) => "the type needs the user right $right",
			$declaration->read === Declaration::READ_USER && !$isUser => 'the type needs an account',
			$owner !== null && !( $isUser && $owner === $authority->getUser()->getName() ) =>
				'the type is for another user',
			// Whether a page is there is not for everybody to know.
			$match->pageId() !== 0 && !( $page !== null && $authority->authorizeRead( 'read', $page ) ) =>
				'there is no such page, or you may not read it',
			!$this->isAllowedByHooks( $authority, $match ) => 'you may not subscribe to this type',
			default => null,
		};
		return $message === null ? null : [ 'code' => 'forbidden', 'message' => $message ];
	}

	private function isAllowedByHooks( Authority $authority, TypeMatch $match ): bool {
		$placeholder = $match->declaration->pattern->placeholder;
		$allowed = in_array( $placeholder, [ Pattern::PAGE, Pattern::USER ], true ) ? true : null;
		$this->hooks->onWebSocketSubscribe( $authority, $match->name, $allowed );
		return $allowed === true;
	}
}
