/*
 * Tells a reader that the page on the screen is not the current one any more.
 */
import { Bar } from './bar.js';
import { clock, nothing, say, take, wanted } from './news.js';

const config = ( name ) => mw.config.get( name );

function start() {
	const revision = config( 'wgRevisionId' );
	const name = config( 'wgPageName' );
	const time = clock( config( 'wgUserLanguage' ), Date.now );
	const bar = new Bar( document, {
		label: mw.msg( 'websocket-live-label' ),
		changes: mw.msg( 'websocket-live-show-changes' ),
		reload: mw.msg( 'websocket-live-reload' ),
		dismiss: mw.msg( 'websocket-live-dismiss' )
	}, {
		page: mw.util.getUrl( name ),
		reload: () => location.reload()
	} );
	bar.insert( document );

	let news = nothing();
	window.webSocket.subscribe( config( 'wsWikiID' ) + '@page/' + config( 'wgArticleId' ), ( data ) => {
		const next = take( news, data.msg, { revision, user: config( 'wgUserName' ) } );
		// Only the wiki sends these; a relay that is open to everybody may not know.
		if ( next === news || !data.wiki ) {
			return;
		}
		news = next;
		// Counting needs the plural rules of the reader's language, which the first change can do without.
		mw.loader.using( news.edits > 1 ? 'mediawiki.jqueryMsg' : [] ).then( () => {
			const { key, params, changes } = say( news, time );
			const text = mw.msg( key, ...params );
			if ( data.msg.event === 'visibility' ) {
				bar.reword( text );
				return;
			}
			bar.show(
				text,
				changes ? mw.util.getUrl( name, { diff: changes, oldid: revision } ) : '',
				news.event.event === 'move' ? mw.util.getUrl( news.event.target ) : ''
			);
		} );
	} );
}

if ( wanted( config ) && window.webSocket ) {
	$( start );
}
